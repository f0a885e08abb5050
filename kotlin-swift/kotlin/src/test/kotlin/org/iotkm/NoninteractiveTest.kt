package org.iotkm

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** Two devices with credentials: issue, one handshake, epochs without messages. */
class NoninteractiveTest {
    private fun Lab.up(): Lab {
        connect()
        until("a session") { a.noninteractive.isEstablished() && b.noninteractive.isEstablished() }
        return this
    }

    /** Lets this much time pass; both sides do what is due. */
    private fun Lab.pass(seconds: ULong, sides: List<Side> = listOf(a, b)) {
        val end = now + seconds * 1000u
        while (true) {
            sides.forEach { drain(it).forEach { datagram -> deliver(other(it), datagram) } }
            val next = sides.mapNotNull { it.wakeAt }.minOrNull()?.takeIf { it <= end } ?: break
            now = maxOf(now, next)
            sides.filter { it.wakeAt?.let { at -> at <= now } == true }.forEach { it.talks.handleTimeout(cx()) }
        }
        now = end
    }

    @Test
    fun `one handshake, then epochs without a message`() {
        for (suite in listOf(Suite.SUITE0, Suite.SUITE2, Suite.SUITE_FFC2048)) {
            val lab = credentialLab(suite).up()
            val (a, b) = lab.a.noninteractive to lab.b.noninteractive
            assertEquals(Authenticated.HOLDER, a.assurance()!!.authenticated)
            assertEquals("bbbb", a.peer().id)
            assertArrayEquals(lab.b.holder.credential()!!.bytes(), a.peer().credential!!.bytes())
            lab.say(lab.a, "hello")
            lab.say(lab.b, "world")
            assertEquals(listOf("hello") to listOf("world"), lab.b.text() to lab.a.text())
            assertTrue(a.exporter("x", byteArrayOf(1), 40u).isSameAs(b.exporter("x", byteArrayOf(1), 40u)))
            val sent = lab.wire.size
            lab.pass(240u)
            assertEquals(sent, lab.wire.size, "nothing is said for it")
            assertEquals(5u to 5u, a.epoch() to b.epoch())
            assertTrue(Event.Rekeyed(5u) in lab.a.events, "${lab.a.events}")
            lab.say(lab.a, "in epoch 5")
            assertEquals("in epoch 5", lab.b.text().last())
        }
    }

    @Test
    fun `neighbours, one that lags, and the last epoch`() {
        val lab = credentialLab().up()
        val (a, b) = lab.a to lab.b
        // B slept through three epochs: a record from the future does not open, and nobody has to care.
        lab.pass(200u, listOf(a))
        assertEquals(4u to 1u, a.noninteractive.epoch() to b.noninteractive.epoch())
        val early = a.noninteractive.send(lab.cx(), "too early".toByteArray())
        lab.deliver(b, early.bytes)
        lab.until("the same epoch") { b.noninteractive.epoch() == a.noninteractive.epoch() }
        lab.say(a, "together again")
        assertEquals("together again", b.text().last())
        lab.pass(600u)
        assertTrue(Event.RekeyNeeded in a.events && Event.Terminated in a.events, "${a.events}")
        assertFalse(a.noninteractive.isEstablished())
        lab.up()
        lab.say(b, "a new handshake")
    }

    @Test
    fun `a restart goes on from the store`() {
        val lab = credentialLab().up()
        val a = lab.a
        lab.pass(70u)
        a.holder.save(a.device, a.store, 2u)
        // The power fails: all that is left is the store, and the key in the vault.
        a.noninteractive.destroy()
        val office = a.holder
        a.holder = Holder("aaaa", Office(Suite.SUITE0).operator)
        a.holder.load(a.device, a.store, 2u)
        assertArrayEquals(office.credential()!!.bytes(), a.holder.credential()!!.bytes())
        a.open(CredentialPeer.restore(a.device, Suite.SUITE0, a.store, 1u))
        assertEquals(-2, thrown<IotkmException> { a.noninteractive.send(lab.cx(), byteArrayOf(1)) }.code())
        a.noninteractive.goOn(lab.cx())
        lab.until("resumed") { a.events.any { it is Event.Resumed } }
        lab.say(a, "back")
        lab.say(lab.b, "welcome")
        assertEquals("back" to "welcome", lab.b.text().last() to a.text().last())
        thrown<IotkmException.BadBlob> { CredentialPeer.restore(lab.b.device, Suite.SUITE0, a.store, 1u) }
        thrown<IotkmException.BadBlob> { CredentialPeer.restore(a.device, Suite.SUITE_FFC2048, a.store, 1u) }
        thrown<IotkmException.NotFound> { CredentialPeer.restore(a.device, Suite.SUITE0, a.store, 7u) }
        thrown<IotkmException.WrongState> { a.holder.load(a.device, a.store, 2u) }
    }

    @Test
    fun `over a bad link`() {
        for (seed in 1UL..4UL) {
            val lab = credentialLab()
            val air = TestRandom(seed)
            lab.loses = { air.random(1u)[0].toInt() and 0xff < 77 } // 30 %
            lab.up()
            lab.loses = { false }
            lab.say(lab.a, "through")
        }
    }

    @Test
    fun `a revoked device is turned away`() {
        val lab = credentialLab().up()
        val (a, b) = lab.a to lab.b
        assertTrue(a.holder.revoke(Acme.list(1u, b.holder.credential()!!.claims().serial)))
        a.noninteractive.recheck(lab.cx())
        lab.settle()
        assertTrue(Event.Terminated in a.events)
        b.noninteractive.wipe()
        b.noninteractive.connect(lab.cx(), a.address)
        lab.until("turned away") { b.events.any { it is Event.Failed } }
        assertFalse(a.noninteractive.isEstablished() || b.noninteractive.isEstablished())
    }

    @Test
    fun `a psk is on both sides, or there is no session`() {
        for ((other, works) in listOf(key(9) to true, key(8) to false, null to false)) {
            val lab = credentialLab(psks = listOf(key(9), other))
            lab.connect()
            assertEquals(works, lab.a.noninteractive.isEstablished() && lab.b.noninteractive.isEstablished())
        }
    }

    @Test
    fun `a slow token, a broken store, a callback that calls back`() {
        val lab = credentialLab(Suite.SUITE2)
        lab.b.vault.slow = 1
        lab.up()
        lab.a.vault.slow = 2
        lab.b.store.broken = "worn out"
        lab.pass(61u)
        lab.until("the next epoch") { lab.a.noninteractive.epoch() == 2u && lab.b.noninteractive.epoch() == 2u }
        assertTrue(Event.StoreFailed(1u, "worn out") in lab.b.events, "${lab.b.events}")
        lab.b.store.broken = null
        lab.say(lab.a, "x")
        val busy = mutableListOf<Throwable?>()
        lab.a.random!!.hook = { busy += runCatching { lab.a.noninteractive.epoch() }.exceptionOrNull() }
        lab.a.noninteractive.connect(lab.cx(), lab.b.address)
        assertTrue(busy.isNotEmpty() && busy.all { it is IotkmException.Busy }, "$busy")
    }

    @Test
    fun `split and printed issue`() {
        val office = Office(Suite.SUITE2)
        val side = Side("a".toByteArray(), 3)
        side.holder = Holder("lamp", office.operator)
        val asked = CredentialRequest(side.device, Suite.SUITE2, "lamp")
        val again = CredentialRequest.restore(side.device, Suite.SUITE2, "lamp", asked.seal(side.device))
        assertArrayEquals(asked.request(), again.request())
        val (now, wall) = 1_750_000_000u to 1_750_000_000UL
        val answer = office.key.issue(office.device, office.numbers, asked.request(), now, 24u)
        val issued = side.holder.accept(again, answer, wall)
        assertArrayEquals(issued.key.publicKey(), credentialKey(office.operator, issued.credential))
        val claims = issued.credential.claims()
        assertEquals(listOf("lamp", 1u, now, wall + 86_400UL), listOf(claims.device, claims.serial, claims.issuedAt, claims.expires))
        assertNull(side.holder.credential())
        side.holder.check(issued.credential, issued.key, wall)
        side.holder.install(issued.credential, wall)
        assertTrue(side.holder.needsStore())
        side.holder.save(side.device, side.store, 2u)
        assertFalse(side.holder.needsStore())
        assertEquals("expired", thrown<IotkmException.Refused> { issued.credential.check(wall + 86_400UL) }.reason)
        // Another's answer, a damaged one, another operator's, another device's.
        fun refused(reason: String, call: () -> Unit) = assertEquals(reason, thrown<IotkmException.Refused>(call).reason)
        refused("signature") { side.holder.accept(CredentialRequest(side.device, Suite.SUITE2, "lamp"), answer, wall) }
        refused("claims") { side.holder.accept(asked, answer.copyOf(20), wall) }
        refused("signature") { Holder("lamp", Office(Suite.SUITE2).let { it.operator.copy(key = OperatorKey.generate(side.device, Suite.SUITE2).publicKey()) }).accept(asked, answer, wall) }
        refused("subject") { Holder("plug", office.operator).accept(asked, answer, wall) }
        refused("claims") { CredentialRequest(side.device, Suite.SUITE2, "") }
        assertEquals("lamp" to "lamp", asked.name() to requestedDevice(Suite.SUITE2, asked.request()))
        refused("claims") { requestedDevice(Suite.SUITE_FFC2048, asked.request()) }
        refused("claims") { requestedDevice(Suite.SUITE2, asked.request().also { it.fill(-1, 5) }) } // no element
        refused("claims") { requestedDevice(Suite.SUITE2, asked.request().copyOf(20)) }
        assertEquals(Suite.SUITE2, office.key.suite())
        // As the paper prints it.
        val printed = office.key.issuePrintedKnowingThePrivateKey(office.device, office.numbers, "plug", now, 24u)
        val plug = Holder("plug", office.operator)
        plug.check(printed.credential, printed.key, wall)
        refused("signature") { plug.check(printed.credential, issued.key, wall) }
        assertEquals(2u, printed.credential.claims().serial)
        // Numbers are reserved in storage first, and never given twice.
        val unstored = TicketAgent("acme")
        assertEquals(-3, thrown<IotkmException> { office.key.issue(office.device, unstored, asked.request(), now, 24u) }.code())
        val store = TestStore()
        unstored.save(office.device, store, 1u)
        office.key.issue(office.device, unstored, asked.request(), now, 24u)
        val restarted = TicketAgent.restore(office.device, store, 1u)
        restarted.save(office.device, store, 1u)
        val late = office.key.issue(office.device, restarted, asked.request(), now, 24u)
        assertTrue(side.holder.accept(asked, late, wall).credential.claims().serial > 1u)
        val stored = OperatorKey.restore(office.device, Suite.SUITE2, office.key.seal(office.device))
        assertArrayEquals(office.key.publicKey(), stored.publicKey())
        assertTrue("$stored".endsWith(", ..)"))
    }

    @Test
    fun `the next credential over the association with the operator`() {
        val office = Office(Suite.SUITE0)
        val lab = credentialLab(setup = CredentialSetup(60u, 10u, key = 1u, nextKey = 2u), office = office).up()
        val (a, b) = lab.a to lab.b
        val now = WALL / 1000UL
        fun heard(by: Side) = by.received.removeLast().payload
        fun say(message: TicketMessage) = lab.say(a, writeTicketMessage(message)).let { b.holder.handle(heard(b), now) }
        val first = b.holder.credential()!!
        val operator = Operator(10u, 3_600_000UL, 60UL)
        operator.knowsCredential(first)
        assertEquals(first.claims().expires - 500UL * 3600UL, b.holder.dueAt(ULong.MAX_VALUE), "half its life")
        assertEquals("bbbb", operator.ask(now))

        // It is told, draws, stores, and asks the same as often as it takes, also after a restart.
        assertTrue(say(TicketMessage.CredentialDue) is Told.Ask)
        assertFalse(b.holder.isAsking())
        b.holder.ask(b.device)
        assertTrue(b.holder.isAsking() && b.holder.needsStore())
        assertNull(b.holder.request(), "not before it is stored")
        b.holder.save(b.device, b.store, 2u)
        val message = b.holder.request()!!
        b.holder.ask(b.device)
        assertFalse(b.holder.needsStore())
        val again = Holder("bbbb", office.operator).also { it.load(b.device, b.store, 2u) }
        assertArrayEquals(message, again.request())
        lab.say(b, message)
        val asked = readTicketMessage(heard(a)) as TicketMessage.CredentialAsked
        assertEquals("bbbb", requestedDevice(Suite.SUITE0, asked.request))
        val answer = office.key.issue(office.device, office.numbers, asked.request, now.toUInt(), 1000u)
        val next = Credential(Suite.SUITE0, answer.copyOf(answer.size - 32))
        operator.issuedCredential(next)
        assertArrayEquals(next.reference(), operator.waitingFor("bbbb"))

        // The key first, then the credential; nothing is said before it is stored, and again when it comes again.
        val told = say(TicketMessage.CredentialAnswer(answer)) as Told.Next
        assertArrayEquals(first.bytes(), b.holder.credential()!!.bytes())
        b.vault.keys[2u] = told.issued.key
        b.holder.install(told.issued.credential, now)
        assertNull(b.holder.acknowledgement())
        b.holder.save(b.device, b.store, 2u)
        assertTrue(say(TicketMessage.CredentialAnswer(answer)) is Told.Acknowledge)
        lab.say(b, b.holder.acknowledgement()!!)
        assertTrue(operator.handle("bbbb", heard(a)))
        assertEquals(Renewal("bbbb", next.claims().expires, null, null), operator.devices().single())
        assertFalse(b.holder.isAsking())
        b.noninteractive.recheck(lab.cx())
        lab.say(b, "the same session")
        b.noninteractive.wipe()
        b.noninteractive.connect(lab.cx(), a.address)
        lab.until("a session") { b.noninteractive.isEstablished() && a.noninteractive.peer().credential!!.bytes().contentEquals(next.bytes()) }

        // An answer to no request of its own, a list, what is none of its messages.
        assertEquals("signature", thrown<IotkmException.Refused> { say(TicketMessage.CredentialAnswer(answer.also { it[answer.size - 40]++ })) }.reason)
        assertTrue(say(TicketMessage.RevocationList(Acme.list(1u, 77u))) is Told.Acknowledge)
        assertTrue(say(TicketMessage.Refusal(-1)) is Told.Nothing)
        thrown<IotkmException.BadArgument> { Operator(1u, 1UL, 1UL).issuedCredential(next) }
    }

    @Test
    fun `what is refused changes nothing`() {
        val lab = credentialLab()
        val a = lab.a
        fun peer(suite: Suite = Suite.SUITE0) = CredentialPeer.named(suite, 1u, "aaaa", "bbbb")
        val given = peer()
        for (setup in listOf(CredentialSetup(0u, 1u), CredentialSetup(1u, 0u))) {
            assertEquals(-6, thrown<IotkmException> { a.open(given, setup) }.code())
        }
        assertEquals(-6, thrown<IotkmException> { a.open(peer(Suite.SUITE2)) }.code())
        a.open(given)
        assertEquals(-3, thrown<IotkmException> { a.open(given) }.code())
        assertEquals("CredentialPeer(in use)", "$given")
        assertEquals(-6, thrown<IotkmException> { CredentialPeer.named(Suite.SUITE0, 1u, "a", "a") }.code())
        assertEquals(-6, thrown<IotkmException> { peer(Suite.SUITE0_SYMMETRIC) }.code())
        assertEquals(-2, thrown<IotkmException> { a.noninteractive.goOn(lab.cx()) }.code())
        val empty = Side("c".toByteArray(), 5)
        empty.holder = Holder("aaaa", Office(Suite.SUITE0).operator)
        empty.open(peer())
        assertEquals(-15, thrown<IotkmException> { empty.noninteractive.connect(lab.cx(), lab.b.address) }.code())
        lab.up()
        assertTrue("${a.noninteractive}".contains("bbbb, epoch 1"), "${a.noninteractive}")
        assertEquals("bbbb", a.noninteractive.intoPeer().info().id)
        assertEquals(-3, thrown<IotkmException> { a.noninteractive.epoch() }.code())
    }

    @Test
    fun `in a hub, whoever comes first`() {
        val lab = credentialLab()
        val b = lab.b
        b.open(CredentialPeer.anyone(Suite.SUITE0, 1u, "bbbb"))
        val hub = Hub.open(b.device, lab.cx(), 2u, 8u, b.store)
        hub.insert(Association.Noninteractive(b.noninteractive))
        lab.a.noninteractive.connect(lab.cx(), b.address)
        do {
            val said = lab.drain(lab.a)
            said.forEach { hub.handleInput(lab.cx(), lab.a.address, it) }
            while (true) when (val output = hub.poll(lab.cx()).output) {
                is Output.Datagram -> lab.deliver(lab.a, output.bytes)
                is Output.Idle -> break
                else -> {}
            }
        } while (said.isNotEmpty())
        hub.handleTimeout(lab.cx())
        assertTrue(b.noninteractive.isEstablished())
        assertEquals("aaaa", b.noninteractive.peer().id)
    }
}
