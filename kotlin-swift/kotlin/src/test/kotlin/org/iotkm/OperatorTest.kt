package org.iotkm

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private const val NOW = 1_750_000_000UL // what WALL says
private const val DAY = Acme.DAY

/** Those who see to tickets: the agent that numbers them, the operator that has them renewed over associations. */
class OperatorTest {
    private val desk = Device(TestVault(9), TestRandom(9UL))
    private val store = TestStore()

    private fun agent() = TicketAgent("acme").also { it.save(desk, store, 1u) }

    private fun wanted(name: String, lifetime: ULong = 30UL * DAY) = TicketRequest(name, Curve.X25519, ByteArray(32) { 9 }, lifetime)

    @Test
    fun `an agent gives no number twice`() {
        val agent = TicketAgent("acme")
        assertEquals(-3, thrown<IotkmException> { agent.issue(Acme.signer, wanted("lamp"), NOW) }.code())
        assertEquals(-3, thrown<IotkmException> { agent.revoke(Acme.signer, listOf(), NOW) }.code())
        store.broken = "worn out"
        thrown<IotkmException.Store> { agent.save(desk, store, 1u) }
        thrown<IotkmException.WrongState> { agent.issue(Acme.signer, wanted("lamp"), NOW) }
        store.broken = null
        agent.save(desk, store, 1u)
        val ticket = agent.issue(Acme.signer, TicketRequest("lamp", Curve.X25519, ByteArray(32) { 9 }, 60UL, "light"), NOW)
        val claims = Ticket.verify(ticket.bytes(), Acme.agent).claims()
        assertEquals(listOf(1u, NOW, NOW + 60UL, "light", "acme"), listOf(claims.serial, claims.issuedAt, claims.expires, claims.scope, claims.agent))
        for (bad in listOf(wanted(""), wanted("x".repeat(33)), wanted("lamp", ULong.MAX_VALUE), wanted("lamp").copy(key = ByteArray(31)))) {
            thrown<IotkmException.Refused> { agent.issue(Acme.signer, bad, NOW) }
        }
        thrown<IotkmException.BadArgument> { agent.issue(Acme.signer, wanted("lamp").copy(curve = Curve.RISTRETTO255), NOW) }
        assertEquals(2u, agent.issue(Acme.signer, wanted("lamp"), NOW).claims().serial)
        val list = RevocationList.verify(agent.revoke(Acme.signer, listOf(1u, 2u), NOW).bytes(), Acme.agent)
        assertEquals(Revoked("acme", NOW, 1u, listOf(1u, 2u)), list.revoked())
        thrown<IotkmException.Refused> { agent.revoke(Acme.signer, listOf(2u, 1u), NOW) }
        assertEquals(2u, agent.revoke(Acme.signer, listOf(), NOW).revoked().number)
        // 256 numbers are reserved at a time.
        repeat(254) { agent.issue(Acme.signer, wanted("lamp"), NOW) }
        thrown<IotkmException.WrongState> { agent.issue(Acme.signer, wanted("lamp"), NOW) }
        // The power fails: it goes on behind what was reserved.
        val again = TicketAgent.restore(desk, store, 1u)
        thrown<IotkmException.WrongState> { again.issue(Acme.signer, wanted("lamp"), NOW) }
        again.save(desk, store, 1u)
        assertEquals(257u, again.issue(Acme.signer, wanted("lamp"), NOW).claims().serial)
        assertEquals(257u, again.revoke(Acme.signer, listOf(), NOW).revoked().number)
        assertEquals("acme" to "TicketAgent(acme)", again.name() to "$again")
        thrown<IotkmException.BadBlob> { TicketAgent.restore(Device(TestVault(8), null), store, 1u) }
        thrown<IotkmException.BlobRolledBack> { TicketAgent.fromBlob(desk, 99u, store.slots[1u]!!.bytes) }
        thrown<IotkmException.NotFound> { TicketAgent.restore(desk, store, 2u) }
        thrown<IotkmException.BadArgument> { TicketAgent("") }
        // A number of the caller's: that one, and no other.
        val numbered = TicketAgent.withNumber("acme", 700u)
        assertEquals(700u, numbered.issue(Acme.signer, wanted("lamp"), NOW).claims().serial)
        thrown<IotkmException.WrongState> { numbered.issue(Acme.signer, wanted("lamp"), NOW) }
        thrown<IotkmException.BadArgument> { TicketAgent.withNumber("acme", UInt.MAX_VALUE) }
    }

    @Test
    fun `an agent's key elsewhere`() {
        for (algorithm in Algorithm.entries) {
            val token = SigningKey(algorithm, key(7))
            var sign: (ByteArray) -> ByteArray = token::sign
            val key = SigningKey.external(algorithm, token.publicKey(), object : Signer {
                override fun sign(message: ByteArray) = sign(message)
            })
            assertEquals(algorithm, key.algorithm())
            val agent = agent()
            Ticket.verify(agent.issue(key, wanted("lamp"), NOW).bytes(), token.agent("acme"))
            RevocationList.verify(agent.revoke(key, listOf(1u), NOW).bytes(), key.agent("acme"))
            // It fails, is slow, signs under another key, or gives half of it: nothing is issued, and no number used up.
            val failures = listOf<Pair<String, (ByteArray) -> ByteArray>>(
                "the token is gone" to { throw CallbackException.Failed("the token is gone") },
                "pending" to { throw CallbackException.Pending() },
                "does not verify" to SigningKey(algorithm, key(8))::sign,
                "does not verify" to { token.sign(it).copyOf(63) },
            )
            for ((reason, failing) in failures) {
                sign = failing
                val error = thrown<IotkmException.Vault> { agent.issue(key, wanted("lamp"), NOW) }
                assertEquals(-111, error.code())
                assertTrue(error.reason.contains(reason), error.reason)
            }
            // A token that calls back into the agent that it signs for.
            val seen = mutableListOf<Throwable?>()
            sign = { seen += runCatching { agent.name() }.exceptionOrNull(); token.sign(it) }
            assertEquals(2u, agent.issue(key, wanted("lamp"), NOW).claims().serial)
            assertTrue(seen.single() is IotkmException.Busy, "$seen")
            assertEquals(-6, thrown<IotkmException> { SigningKey.external(algorithm, ByteArray(31), object : Signer { override fun sign(message: ByteArray) = message }) }.code())
            assertTrue("$token".endsWith(", ..)"))
        }
        assertEquals(-6, thrown<IotkmException> { SigningKey(Algorithm.ES256, key(0)) }.code())
        assertEquals(-6, thrown<IotkmException> { SigningKey(Algorithm.ED_DSA, SecretBytes(ByteArray(31))) }.code())
    }

    @Test
    fun `an operator asks before tickets end`() {
        val agent = agent()
        val operator = Operator(2u, 7UL * DAY, DAY)
        assertNull(operator.wakeAt())
        val (lamp, plug) = agent.issue(Acme.signer, wanted("lamp"), NOW) to agent.issue(Acme.signer, wanted("plug", 20UL * DAY), NOW)
        listOf(lamp, plug).forEach { operator.knows(it) }
        thrown<IotkmException.Full> { operator.knows(agent.issue(Acme.signer, wanted("switch"), NOW)) }
        assertNull(operator.ask(NOW))
        assertEquals(NOW + 13UL * DAY, operator.wakeAt())
        // The most urgent first, each once, and again after a day without an answer.
        val later = NOW + 25UL * DAY
        assertEquals(listOf("plug", "lamp", null), List(3) { operator.ask(later) })
        assertEquals(later + DAY, operator.wakeAt())
        assertEquals(later, operator.devices().single { it.device == "lamp" }.askedAt)
        assertEquals("plug", operator.ask(later + DAY))
        // The answer waits for the device, until that says that it has it.
        val next = agent.issue(Acme.signer, wanted("lamp"), later)
        operator.issued(next)
        thrown<IotkmException.BadArgument> { operator.issued(lamp) }
        thrown<IotkmException.BadArgument> { operator.issued(agent.issue(Acme.signer, wanted("other"), later)) }
        assertArrayEquals(next.reference(), operator.waitingFor("lamp"))
        assertNull(operator.waitingFor("plug"))
        fun said(ticket: Ticket) = writeTicketMessage(TicketMessage.Acknowledged(ticket.reference(), 0u))
        assertFalse(operator.handle("lamp", said(lamp)))
        assertFalse(operator.handle("plug", said(next)))
        thrown<IotkmException.Refused> { operator.handle("lamp", byteArrayOf(1)) }
        assertTrue(operator.handle("lamp", said(next)))
        assertFalse(operator.handle("lamp", said(next)))
        val (its) = operator.devices().filter { it.device == "lamp" }
        assertEquals(Renewal("lamp", later + 30UL * DAY, null, null), its)
        assertEquals("Operator(2 devices)", "$operator")
        operator.forget("plug")
        assertEquals(listOf("lamp"), operator.devices().map { it.device })
        for (capacity in listOf(0u, (1u shl 24) + 1u)) thrown<IotkmException.BadArgument> { Operator(capacity, DAY, DAY) }
    }

    /** The operator a sends what waits for b, whose wallet takes it in, stores it and says so; whether that arrived. */
    private fun Lab.push(operator: Operator, message: TicketMessage): Boolean {
        say(a, writeTicketMessage(message))
        val payload = b.received.removeLastOrNull()?.payload ?: return false
        assertTrue(b.wallet.handle(payload, NOW))
        assertNull(b.wallet.acknowledgement(), "nothing is said before it is stored")
        b.wallet.save(b.device, b.store, 2u)
        say(b, b.wallet.acknowledgement()!!)
        b.interactive.recheck(cx())
        settle()
        return operator.handle("bbbb", a.received.removeLast().payload)
    }

    @Test
    fun `renewed and revoked over an association, and a device that is away gets it later`() {
        val lab = ticketLab()
        lab.connect()
        val (a, b) = lab.a to lab.b
        val agent = agent()
        val operator = Operator(10u, 31UL * DAY, DAY)
        operator.knows(b.wallet.ticket(NOW)!!)
        fun renew(lifetime: ULong): Ticket {
            assertEquals("bbbb", operator.ask(NOW))
            val key = b.vault.keys[1u]!!
            val ticket = agent.issue(Acme.signer, TicketRequest("bbbb", key.curve(), key.publicKey(), lifetime), NOW)
            operator.issued(Ticket.verify(ticket.bytes(), Acme.agent))
            return ticket
        }

        val next = renew(31UL * DAY)
        assertTrue(lab.push(operator, TicketMessage.Ticket(next)))
        assertNull(operator.waitingFor("bbbb"))
        assertArrayEquals(next.bytes(), b.wallet.ticket(NOW)!!.bytes())
        assertArrayEquals(next.bytes(), a.interactive.peer().ticket!!.bytes(), "and shown to the peer")

        // Away: nothing arrives, and it still waits. Back, with a new session, it gets it.
        val second = renew(32UL * DAY)
        lab.loses = { true }
        assertFalse(lab.push(operator, TicketMessage.Ticket(second)))
        assertArrayEquals(second.reference(), operator.waitingFor("bbbb"))
        lab.loses = { false }
        b.interactive.wipe()
        b.interactive.connect(lab.cx(), a.address)
        lab.until("a session") { b.interactive.isEstablished() }
        assertTrue(lab.push(operator, TicketMessage.Ticket(second)))
        assertEquals(listOf(second, next).map { it.claims().serial }, b.wallet.tickets().map { it.claims().serial })

        // Revoked: b, which trusted a until now, ends the session with it.
        val list = agent.revoke(Acme.signer, a.wallet.tickets().map { it.claims().serial }.sorted(), NOW)
        lab.say(a, writeTicketMessage(TicketMessage.RevocationList(list)))
        assertTrue(b.wallet.handle(b.received.removeLast().payload, NOW))
        b.interactive.recheck(lab.cx())
        lab.settle()
        assertEquals(1u, b.wallet.listNumber())
        assertTrue(Event.Terminated in b.events)
    }

    @Test
    fun `what is not taken is refused, and said so`() {
        val lab = ticketLab()
        lab.connect()
        val foreign = Acme.ticket("cccc", lab.b.vault.keys[1u]!!, 9u)
        lab.say(lab.a, writeTicketMessage(TicketMessage.Ticket(foreign)))
        val error = thrown<IotkmException.Refused> { lab.b.wallet.handle(lab.b.received.removeLast().payload, NOW) }
        lab.say(lab.b, lab.b.wallet.refusal(error.code()))
        val said = readTicketMessage(lab.a.received.removeLast().payload) as TicketMessage.Refusal
        assertEquals(error.code().toLong(), said.code)
        thrown<IotkmException.Refused> { writeTicketMessage(TicketMessage.Acknowledged(ByteArray(7), 0u)) }
        thrown<IotkmException.Refused> { writeTicketMessage(TicketMessage.Request(wanted(""))) }
        thrown<IotkmException.Refused> { readTicketMessage(byteArrayOf(0x82.toByte(), 1, 0x41, 0)) }
    }

    @Test
    fun `what is shared with known peers is remembered, and a new key is noticed`() {
        for ((suite, curve) in listOf(Suite.SUITE0 to Curve.X25519, Suite.SUITE2 to Curve.P256)) {
            val lab = ticketLab(listOf(suite), curve)
            val (a, b) = lab.a to lab.b
            fun asked(): List<Int> {
                val before = listOf(a.vault.agreed, b.vault.agreed)
                val generation = a.interactive.peer().generation
                a.interactive.authenticate(lab.cx(), b.address)
                lab.until("a new key") { a.interactive.peer().generation > generation && b.interactive.peer().generation > generation }
                return listOf(a.vault.agreed - before[0], b.vault.agreed - before[1])
            }
            lab.connect()
            assertTrue(a.interactive.isEstablished())
            assertEquals(listOf(2, 2), listOf(a.vault.agreed, b.vault.agreed), "$suite")
            assertEquals(listOf(1, 1), asked(), "$suite: half")
            a.device.lock()
            assertEquals(listOf(2, 1), asked(), "$suite: a has forgotten")
            // Another key under the same number: what the old one shared is of no use.
            val new = StaticKey.generate(b.device, curve)
            b.vault.keys[1u] = new
            b.wallet.install(Acme.ticket("bbbb", new, 9u, 60UL), NOW)
            b.interactive.recheck(lab.cx())
            lab.settle()
            assertEquals(listOf(2, 2), asked(), "$suite: a new key")
            assertEquals(listOf(1, 1), asked(), "$suite: and known")
        }
    }
}
