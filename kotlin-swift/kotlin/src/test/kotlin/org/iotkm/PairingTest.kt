package org.iotkm

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** Two devices meet; a hub serves many. */
class PairingTest {
    private class Meeting(suite: Suite = Suite.SUITE0, pace: Pace = Pace.RISTRETTO255) {
        val a = Side("a".toByteArray(), 11)
        val b = Side("b".toByteArray(), 22)
        val pa = Pairing.open(a.device, Setup("phone".toByteArray(), suite, pace, 1u, 2u), Config(), a.store)
        val pb = Pairing.open(b.device, Setup("lamp".toByteArray(), suite, pace, 1u, 2u), Config(), b.store)
        var now = 1_000UL

        private fun drain(pairing: Pairing, side: Side): List<ByteArray> {
            val datagrams = mutableListOf<ByteArray>()
            while (true) {
                when (val output = pairing.poll(cx(now))) {
                    is Output.Datagram -> datagrams.add(output.bytes)
                    is Output.Happened -> side.events.add(output.event)
                    is Output.Persist -> error("there is a store")
                    is Output.Idle -> return datagrams
                }
            }
        }

        fun settle() {
            do {
                val fromA = drain(pa, a)
                fromA.forEach { pb.handleInput(cx(now), a.address, it) }
                val fromB = drain(pb, b)
                fromB.forEach { pa.handleInput(cx(now), b.address, it) }
            } while (fromA.isNotEmpty() || fromB.isNotEmpty())
        }

        fun meet(ours: String, theirs: String) {
            pb.listen(cx(now), SecretBytes.opaqueString(theirs), 60_000u)
            pa.start(cx(now), b.address, SecretBytes.opaqueString(ours))
            settle()
        }
    }

    @Test
    fun `one secret makes a pair`() {
        for ((suite, pace) in listOf(Suite.SUITE0 to Pace.RISTRETTO255, Suite.SUITE2 to Pace.P256)) {
            val meeting = Meeting(suite, pace)
            // The same word, typed composed and decomposed.
            meeting.meet("caf\u00e9 au lait", "cafe\u0301 au lait")
            val (a, b) = meeting.pa.takePeer() to meeting.pb.takePeer()
            assertEquals("lamp", a!!.info().id.decodeToString(), "${meeting.a.events}")
            assertEquals(a.info().fingerprint, b!!.info().fingerprint)
            assertTrue(meeting.a.events.contains(Event.Paired(a.info().fingerprint)))
            assertNull(meeting.pa.takePeer())
            // It is stored already, and the exchange works.
            val lab = Lab(open = false)
            lab.a.open(Peer.restore(meeting.a.device, meeting.a.store, 1u), suite)
            lab.b.open(b, suite)
            lab.connect()
            assertTrue(lab.a.history.isEstablished())
        }
    }

    @Test
    fun `five wrong guesses lock, over restarts too`() {
        val meeting = Meeting()
        var locked: IotkmException? = null
        for (attempt in 1..10) {
            try {
                meeting.pa.unlock()
                meeting.settle()
                meeting.meet("guess $attempt", "the secret")
            } catch (e: IotkmException) {
                locked = e
                break
            }
            meeting.pa.cancel()
            meeting.pb.cancel()
            meeting.settle()
        }
        assertTrue(meeting.pb.attempts() >= 5u || locked is IotkmException.Locked, "${meeting.pb.attempts()} $locked")
        // After a restart the count is still there.
        val again = Pairing.open(meeting.b.device, Setup("lamp".toByteArray(), Suite.SUITE0, Pace.RISTRETTO255, 1u, 2u), Config(), meeting.b.store)
        assertEquals(meeting.pb.attempts(), again.attempts())
        assertEquals(-13, thrown<IotkmException> { again.listen(cx(1u), SecretBytes.opaqueString("x"), 1000u) }.code())
        again.unlock()
        again.listen(cx(1u), SecretBytes.opaqueString("x"), 1000u)
        assertFalse(again.toString().contains("secret"))
    }

    @Test
    fun `what cannot be a secret is refused`() {
        assertEquals(-6, thrown<IotkmException> { SecretBytes.opaqueString("") }.code())
        assertEquals(-6, thrown<IotkmException> { SecretBytes.opaqueString("tab\there") }.code())
        val meeting = Meeting()
        assertEquals(-6, thrown<IotkmException> { meeting.pa.listen(cx(1u), SecretBytes(ByteArray(65)), 1000u) }.code())
    }
}
