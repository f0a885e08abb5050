package org.iotkm

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** Two devices with tickets, from first contact to a stolen one's end. */
class InteractiveTest {
    @Test
    fun `first contact, data, and again without tickets`() {
        for ((suite, curve) in listOf(Suite.SUITE0 to Curve.X25519, Suite.SUITE5 to Curve.P256, Suite.SUITE_FFC2048 to Curve.FFC2048)) {
            val lab = ticketLab(listOf(suite), curve)
            val (a, b) = lab.a.interactive to lab.b.interactive
            lab.connect()
            assertTrue(a.isEstablished() && b.isEstablished(), "$suite")
            assertEquals(a.fingerprint(), b.fingerprint())
            assertEquals(Authenticated.HOLDER, a.assurance()!!.authenticated)
            val info = a.peer()
            assertEquals("bbbb", info.id)
            assertEquals(suite, info.suite)
            assertEquals(2u, info.ticket!!.claims().serial)
            lab.say(lab.a, "hello")
            lab.say(lab.b, "world")
            assertEquals(listOf("hello") to listOf("world"), lab.b.text() to lab.a.text())
            assertTrue(a.exporter("x", byteArrayOf(1), 40u).isSameAs(b.exporter("x", byteArrayOf(1), 40u)))
            val before = a.fingerprint()
            val seen = lab.wire.size
            b.connect(lab.cx(), lab.a.address)
            lab.settle()
            assertEquals(info.generation + 1u, a.peer().generation)
            assertTrue(a.fingerprint() != before && a.fingerprint() == b.fingerprint())
            assertTrue(lab.b.events.any { it is Event.KeyReplaced }, "${lab.b.events}")
            assertEquals(4, lab.wire.size - seen) // K1 to K4
        }
    }

    @Test
    fun `data goes with messages 3 and 4`() {
        val lab = ticketLab()
        lab.connect()
        val (a, b) = lab.a to lab.b
        a.interactive.connect(lab.cx(), b.address)
        val first = lab.drain(a).single() // K1
        assertTrue(b.interactive.isNamedBy(first) && !a.interactive.isNamedBy(first))
        lab.deliver(b, first)
        val second = lab.drain(b).single() // K2
        a.interactive.handleInput(lab.cx(), b.address, second)
        val third = a.interactive.send(lab.cx(), "21.5 C".toByteArray()).bytes
        assertEquals(0x117, (third[0].toInt() shl 4) or (third[1].toInt() ushr 4), "K3 stands before it")
        lab.deliver(b, third)
        assertEquals(listOf("21.5 C"), b.text())
        val fourth = b.interactive.send(lab.cx(), "thanks".toByteArray()).bytes
        assertEquals(0x118, (fourth[0].toInt() shl 4) or ((fourth[1].toInt() and 0xff) ushr 4), "K4 stands before it")
        lab.drain(a)
        lab.deliver(a, fourth)
        assertEquals(listOf("thanks"), a.text())
        lab.settle()
        lab.say(a, "and on")
    }

    @Test
    fun `ping, and that nobody answers`() {
        val lab = ticketLab()
        assertTrue(thrown<IotkmException> { lab.a.interactive.ping(lab.cx(), lab.b.address) } is IotkmException.NotEstablished)
        lab.connect()
        lab.a.interactive.ping(lab.cx(), lab.b.address)
        assertTrue(thrown<IotkmException> { lab.a.interactive.ping(lab.cx(), lab.b.address) } is IotkmException.WrongState)
        lab.settle()
        assertTrue(Event.PeerAlive in lab.a.events)
        lab.loses = { true }
        lab.a.interactive.ping(lab.cx(), lab.b.address)
        lab.until("no answer") { Event.Failed(Stage.PING, Reason.NO_ANSWER) in lab.a.events }
        lab.loses = { false }
        lab.say(lab.a, "still here")
    }

    @Test
    fun `over a bad link`() {
        for (seed in 1UL..4UL) {
            val lab = ticketLab()
            val air = TestRandom(seed)
            lab.loses = { air.random(1u)[0].toInt() and 0xff < 77 } // 30 %
            lab.a.interactive.connect(lab.cx(), lab.b.address)
            lab.until("a session") { lab.a.interactive.isEstablished() && lab.b.interactive.isEstablished() }
            lab.loses = { false }
            lab.until("rest") { lab.a.interactive.fingerprint() == lab.b.interactive.fingerprint() }
        }
    }

    @Test
    fun `a ticket is renewed, a revoked one ends, while associations live`() {
        val lab = ticketLab()
        lab.connect()
        val (a, b) = lab.a to lab.b
        val new = Acme.ticket("aaaa", a.vault.keys[1u]!!, 9u, 60UL)
        assertTrue(a.wallet.install(new, WALL / 1000UL))
        a.interactive.recheck(lab.cx())
        lab.settle()
        assertArrayEquals(new.bytes(), b.interactive.peer().ticket!!.bytes())
        lab.say(a, "the same session")

        a.wallet.revoke(Acme.list(1u, 2u))
        a.interactive.recheck(lab.cx())
        lab.settle()
        assertTrue(Event.Terminated in a.events)
        assertFalse(a.interactive.isEstablished())
        // Turned away, whatever it shows.
        b.interactive.wipe()
        for (begin in listOf(b.interactive::connect, b.interactive::authenticate)) {
            begin(lab.cx(), a.address)
            val failures = b.events.count { it is Event.Failed }
            lab.until("turned away") { b.events.count { it is Event.Failed } > failures }
            assertFalse(a.interactive.isEstablished() || b.interactive.isEstablished())
        }
    }

    @Test
    fun `no ticket, and one that is over, with a clock and without`() {
        for (clock in listOf(true, false)) {
            val lab = ticketLab(days = 1UL)
            lab.clock = clock
            lab.connect()
            assertTrue(lab.a.interactive.isEstablished())
            lab.now += 2UL * Acme.DAY * 1000UL
            if (!clock) {
                // The agent's word from two days later is all that it knows of time.
                val later = RevocationList.issue(Acme.signer, Revoked("acme", WALL / 1000UL + 2UL * Acme.DAY, 1u, listOf()))
                lab.a.wallet.revoke(later)
                lab.a.interactive.recheck(lab.cx())
            } else {
                lab.a.interactive.handleTimeout(lab.cx())
            }
            lab.drain(lab.a)
            assertTrue(Event.Terminated in lab.a.events, "$clock: ${lab.a.events}")
            val error = thrown<IotkmException.NoCredential> { lab.a.interactive.connect(lab.cx(), lab.b.address) }
            assertEquals(-15, error.code())
        }
        val lab = Lab(open = false)
        lab.a.wallet = Wallet("aaaa", Acme.agent)
        lab.a.open(TicketPeer.named(1u, "aaaa", "bbbb"))
        thrown<IotkmException.NoCredential> { lab.a.interactive.connect(lab.cx(), lab.b.address) }
    }

    @Test
    fun `a psk is on both sides, or there is no session`() {
        for ((other, works) in listOf(key(9) to true, key(8) to false, null to false)) {
            val lab = ticketLab(psks = listOf(key(9), other))
            lab.connect()
            assertEquals(works, lab.a.interactive.isEstablished() && lab.b.interactive.isEstablished())
            if (other == null) assertTrue((lab.a.events + lab.b.events).any { it == Event.Hint(Reason.PSK) || it == Event.Failed(Stage.AUTHENTICATION, Reason.PSK) }, "${lab.a.events} ${lab.b.events}")
        }
    }

    @Test
    fun `a restart from the store, and one that resumes`() {
        val lab = ticketLab()
        lab.connect()
        for (side in listOf(lab.a, lab.b)) {
            val blob = side.interactive.export(lab.cx())
            val wallet = side.wallet
            wallet.save(side.device, side.store, 2u)
            // The power fails: all that is left is the store, the blob, and the key in the vault.
            side.interactive.destroy()
            side.wallet = Wallet(if (side === lab.a) "aaaa" else "bbbb", Acme.agent).also { it.load(side.device, side.store, 2u) }
            val peer = TicketPeer.restore(side.device, side.store, 1u)
            assertTrue("$peer".contains(if (side === lab.a) "bbbb" else "aaaa"))
            side.open(peer)
            assertFalse(side.interactive.isEstablished())
            side.interactive.restore(lab.cx(), blob)
            lab.settle()
            assertTrue(side.events.any { it is Event.Resumed }, "${side.events}")
            lab.say(side, "back")
        }
        // Without the session's blob the common key is still there: no tickets are shown.
        lab.a.interactive.destroy()
        lab.a.open(TicketPeer.restore(lab.a.device, lab.a.store, 1u))
        val seen = lab.wire.size
        lab.connect()
        assertTrue(lab.a.interactive.isEstablished())
        assertEquals(4, lab.wire.size - seen)
        thrown<IotkmException.BadBlob> { TicketPeer.restore(lab.b.device, lab.a.store, 1u) }
        thrown<IotkmException.NotFound> { TicketPeer.restore(lab.a.device, lab.a.store, 5u) }
    }

    @Test
    fun `a slow token, a locked vault, a broken store`() {
        val lab = ticketLab(listOf(Suite.SUITE2), Curve.P256)
        lab.a.store.broken = "worn out"
        lab.b.vault.slow = 1
        lab.connect()
        assertFalse(lab.a.interactive.isEstablished())
        lab.until("the store's word") { Event.StoreFailed(1u, "worn out") in lab.a.events }
        lab.a.store.broken = null
        lab.until("a session") { lab.a.interactive.isEstablished() && lab.b.interactive.isEstablished() }
        assertNotNull(lab.a.store.slots[1u])
        // The device's secret is asked for once; the key is in the vault whenever it is used.
        lab.b.vault.locked = true
        lab.a.interactive.authenticate(lab.cx(), lab.b.address)
        lab.settle()
        assertTrue(lab.a.interactive.isEstablished(), "the session goes on")
        lab.b.vault.locked = false
        val generation = lab.a.interactive.peer().generation
        lab.until("the new key") { lab.a.interactive.peer().generation > generation }
        lab.say(lab.a, "x")
    }

    @Test
    fun `a callback that calls back gets Busy`() {
        val lab = ticketLab()
        val busy = mutableListOf<Throwable?>()
        lab.a.random!!.hook = { busy += runCatching { lab.a.interactive.isEstablished() }.exceptionOrNull() }
        lab.connect()
        assertTrue(busy.isNotEmpty() && busy.all { it is IotkmException.Busy }, "$busy")
        assertTrue(lab.a.interactive.isEstablished())
    }

    @Test
    fun `what is refused changes nothing`() {
        val lab = ticketLab()
        val a = lab.a
        fun peer() = TicketPeer.named(1u, "aaaa", "bbbb")
        for (suites in listOf(listOf(), listOf(Suite.SUITE0_SYMMETRIC), listOf(Suite.SUITE0, Suite.SUITE2), listOf(Suite.SUITE0, Suite.SUITE0), List(9) { Suite.SUITE0 })) {
            assertEquals(-6, thrown<IotkmException> { a.open(peer(), suites) }.code(), "$suites")
        }
        val given = peer()
        a.open(given)
        assertEquals("TicketPeer(in use)", "$given")
        assertEquals(-3, thrown<IotkmException> { a.open(given) }.code())
        for ((own, other) in listOf("a" to "a", "" to "b", "a" to "b".repeat(33))) {
            assertEquals(-6, thrown<IotkmException> { TicketPeer.named(1u, own, other) }.code())
        }
        assertEquals(-6, thrown<IotkmException> { TicketPeer.named(1u, "a", "b", SecretBytes(ByteArray(31))) }.code())
        assertEquals(-6, thrown<IotkmException> { TicketPeer.anyone(1u, "a", "x".repeat(33)) }.code())
        assertEquals(-6, thrown<IotkmException> { a.interactive.connect(lab.cx(), ByteArray(23)) }.code())
        assertEquals(-2, thrown<IotkmException> { a.interactive.send(lab.cx(), byteArrayOf(1)) }.code())
        lab.connect()
        val stored = TicketPeer.restore(a.device, a.store, 1u)
        assertEquals(-11, thrown<IotkmException> { a.open(stored, listOf(Suite.SUITE4)) }.code())
        assertEquals("bbbb", stored.info().id)
        assertTrue("${a.interactive}".contains("bbbb") && "${a.interactive}".contains(a.interactive.fingerprint()!!))
        val back = a.interactive.intoPeer()
        assertEquals(stored.info().generation, back.info().generation)
        assertEquals(-3, thrown<IotkmException> { a.interactive.isEstablished() }.code())
    }

    @Test
    fun `anyone with the word in its scope may come, nobody else`() {
        for ((scope, works) in listOf("light heat" to true, "heat" to false)) {
            val lab = ticketLab()
            lab.a.wallet = Wallet("aaaa", Acme.agent).also { it.install(Acme.ticket("aaaa", lab.a.vault.keys[1u]!!, 7u, scope = scope), null) }
            lab.a.open(TicketPeer.named(1u, "aaaa", "bbbb"))
            lab.b.open(TicketPeer.anyone(1u, "bbbb", "light"))
            lab.connect()
            assertEquals(works, lab.a.interactive.isEstablished())
            assertEquals(if (works) "aaaa" else null, lab.b.interactive.peer().id)
        }
    }
}
