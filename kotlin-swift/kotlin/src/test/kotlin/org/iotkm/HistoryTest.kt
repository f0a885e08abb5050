package org.iotkm

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** What a good day looks like. */
class HistoryTest {
    @Test
    fun `exchange and data`() {
        for (suite in Suite.entries.filterNot { it.name.contains("FFC") }) {
            val lab = Lab(suite)
            lab.connect()
            assertTrue(lab.a.history.isEstablished() && lab.b.history.isEstablished(), "$suite")
            assertEquals(lab.a.history.fingerprint(), lab.b.history.fingerprint())
            assertTrue(lab.a.events.any { it is Event.Established && it.initiator })
            assertTrue(lab.b.events.any { it is Event.Established && !it.initiator })
            lab.say(lab.a, "hello")
            lab.say(lab.b, "world")
            assertEquals(listOf("hello"), lab.b.text())
            assertEquals(listOf("world"), lab.a.text())
            assertEquals(HERE, lab.b.received[0].place.decodeToString())
            assertEquals(1_750_000_001_000UL, lab.b.received[0].time)
            assertArrayEquals(lab.b.address, lab.a.history.peerAddr())
        }
    }

    @Test
    fun `update, and the next session under the new triple`() {
        val lab = Lab()
        lab.connect()
        lab.say(lab.a, "21.5 C")
        lab.say(lab.b, "ok")
        val before = lab.a.history.peer().fingerprint
        lab.b.history.update(cx(lab.now))
        lab.settle()
        assertTrue(lab.b.events.contains(Event.UpdateAgreed(1u)), "${lab.b.events}")
        assertEquals(1u, lab.a.history.peer().generation)
        assertEquals(1u, lab.b.history.peer().generation)
        assertNotEquals(before, lab.a.history.peer().fingerprint)
        assertEquals(lab.a.history.peer().fingerprint, lab.b.history.peer().fingerprint)
        lab.say(lab.a, "again")
        assertEquals("again", lab.b.text().last())
    }

    @Test
    fun `export, restart, restore`() {
        val lab = Lab()
        lab.connect()
        lab.say(lab.a, "before")
        val session = lab.a.history.export(cx(lab.now))
        // The power fails: all that is left is the store and the blob.
        lab.a.history.destroy()
        lab.a.open(Peer.restore(lab.a.device, lab.a.store, 1u))
        assertFalse(lab.a.history.isEstablished())
        lab.a.history.restore(cx(lab.now), session)
        lab.settle()
        assertTrue(lab.a.events.any { it is Event.Resumed }, "${lab.a.events}")
        lab.say(lab.a, "after")
        lab.say(lab.b, "welcome back")
        assertEquals(listOf("before", "after"), lab.b.text())
        assertEquals(listOf("welcome back"), lab.a.text())
        // The same blob again leads nowhere.
        assertTrue(thrown<IotkmException> { lab.a.history.restore(cx(lab.now), session) } is IotkmException.WrongState)
    }

    @Test
    fun `an exporter gives both sides the same`() {
        val lab = Lab()
        lab.connect()
        val ours = lab.a.history.exporter("test", byteArrayOf(1), 48u)
        val theirs = lab.b.history.exporter("test", byteArrayOf(1), 48u)
        assertEquals(48, ours.expose().size)
        assertTrue(ours.isSameAs(theirs))
        assertFalse(ours.isSameAs(lab.b.history.exporter("test", byteArrayOf(2), 48u)))
    }

    @Test
    fun `a psk strengthens both sides, or stops one`() {
        for (both in listOf(true, false)) {
            val lab = Lab(open = false)
            val (a, b) = provisioned("aaaa", "bbbb") to provisioned("bbbb", "aaaa")
            a.setPsk(key(9))
            if (both) b.setPsk(key(9))
            lab.a.open(a)
            lab.b.open(b)
            lab.connect()
            assertEquals(both, lab.a.history.isEstablished())
        }
    }

    @Test
    fun `assurance, drops, close, wipe`() {
        val lab = Lab()
        assertNull(lab.a.history.assurance())
        lab.connect()
        val assurance = lab.a.history.assurance()!!
        assertEquals(Authenticated.PAIRED_PEER, assurance.authenticated)
        assertEquals(lab.now, assurance.forwardSecrecySince)
        assertTrue(assurance.clock)
        assertTrue(lab.a.history.drops().isEmpty())
        val sent = lab.a.history.send(cx(lab.now), "x".toByteArray())
        lab.deliver(lab.b, sent.bytes)
        lab.deliver(lab.b, sent.bytes)
        lab.deliver(lab.b, sent.bytes.also { it[it.size - 1] = (it[it.size - 1] + 1).toByte() })
        lab.deliver(lab.b, byteArrayOf(1, 2, 3))
        assertEquals(1, lab.b.received.size)
        assertEquals(3, lab.b.history.drops().values.sumOf { it.toInt() })
        // A number that was accepted is not looked at again, whatever it comes with.
        assertEquals(2.toUShort(), lab.b.history.drops()["replayed"])
        lab.a.history.closeSession()
        lab.settle()
        assertTrue(lab.b.events.contains(Event.Terminated))
        assertFalse(lab.b.history.isEstablished())
        lab.connect()
        assertTrue(lab.b.history.isEstablished())
        lab.b.history.wipe()
        assertFalse(lab.b.history.isEstablished())
    }

    @Test
    fun `a peer is used up by an association, and comes back`() {
        val lab = Lab(open = false)
        val peer = provisioned("aaaa", "bbbb")
        lab.a.open(peer)
        assertTrue(thrown<IotkmException> { peer.info() } is IotkmException.WrongState)
        assertTrue(thrown<IotkmException> { lab.a.open(peer) } is IotkmException.WrongState)
        val back = lab.a.history.intoPeer()
        assertEquals("bbbb", back.info().id.decodeToString())
        assertTrue(thrown<IotkmException> { lab.a.history.isEstablished() } is IotkmException.WrongState)
        // A refused opening leaves the peer where it was.
        assertTrue(thrown<IotkmException> { lab.a.open(back, Suite.SUITE_FFC2048) } is IotkmException.BadArgument)
        assertTrue(thrown<IotkmException> { lab.a.open(back, Suite.SUITE4) } is IotkmException.SuiteMismatch)
        assertEquals(Suite.SUITE0, back.info().suite)
    }

    @Test
    fun `lost datagrams are sent again`() {
        val lab = Lab()
        lab.a.history.connect(cx(lab.now), lab.b.address)
        assertEquals(1, lab.drain(lab.a).size)
        lab.now = lab.a.wakeAt!!
        lab.a.history.handleTimeout(cx(lab.now))
        lab.settle()
        assertTrue(lab.a.history.isEstablished())
    }
}
