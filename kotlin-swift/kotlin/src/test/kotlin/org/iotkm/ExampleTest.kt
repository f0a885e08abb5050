package org.iotkm

import org.iotkm.example.credentialService
import org.iotkm.example.credentials
import org.iotkm.example.meters
import org.iotkm.example.operatorService
import org.iotkm.example.tickets
import org.iotkm.example.udpLoopback
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The programs of examples/kotlin. */
class ExampleTest {
    private fun run(example: ((String) -> Unit) -> Boolean, says: String) {
        val lines = mutableListOf<String>()
        assertTrue(example { lines.add(it) }, lines.joinToString("\n"))
        assertTrue(lines.any { it.contains(says) }, lines.joinToString("\n"))
    }

    @Test
    fun `UDP on loopback`() = run(::udpLoopback, "KeyReplaced")

    @Test
    fun `tickets, and a stolen one`() = run(::tickets, "the switch is turned away")

    @Test
    fun `an operator's month`() = run(::operatorService, "lamp has list 1")

    @Test
    fun `credentials, and epochs`() = run(::credentials, "epoch 6 on both sides, 0 datagrams")

    @Test
    fun `credentials that are renewed`() = run(::credentialService, "the operator has seen credentials 4 and 5")

    @Test
    fun `meters, and their centre`() = run(::meters, "cellar is KILLED")
}
