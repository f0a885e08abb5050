package org.iotkm

import org.iotkm.example.udpLoopback
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ExampleTest {
    @Test
    fun `examples of kotlin, UDP on loopback`() {
        val lines = mutableListOf<String>()
        assertTrue(udpLoopback { lines.add(it) }, lines.joinToString("\n"))
        assertTrue(lines.any { it.contains("KeyReplaced") }, lines.joinToString("\n"))
    }
}
