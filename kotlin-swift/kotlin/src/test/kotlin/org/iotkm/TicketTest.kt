package org.iotkm

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private const val NOW = 1_800_000_000UL
private const val YEAR = 31_536_000UL

/** The ticket of the tickets' page. */
private const val PAGE = "d28445a201270440a0584ca6016461636d6502666c616d702d37041a6d2b0580061a6b49d20007440000000108a101a301012004215820" +
    "09090909090909090909090909090909090909090909090909090909090909095840" +
    "ef70f6e3ee009dfc468b38f560eba7bbe48e1a8b3cee9342083ba0d85c899ed6" +
    "f428a92899a45bd5509c33f60bf3f7e469727257d2ac128935f1f6bbbfbfbc05"

/** The generator of P-256, x | y. */
private val G = ("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5").chunked(2).map { it.toInt(16).toByte() }.toByteArray()

/** Static keys behind the vault, tickets, revocation lists, a device's wallet. */
class TicketTest {
    private val signer = SigningKey(Algorithm.ED_DSA, key(7))
    private val agent = signer.agent("acme")
    private val es256 = SigningKey(Algorithm.ES256, key(7))
    private val vault = TestVault(5)
    private val device = Device(vault, TestRandom(5UL))

    private fun claims(name: String, serial: UInt, expires: ULong = NOW + YEAR) =
        Claims("acme", name, Curve.X25519, ByteArray(32) { 9 }, serial, NOW, expires)

    private fun ticket(name: String, serial: UInt, expires: ULong = NOW + YEAR) = Ticket.issue(signer, claims(name, serial, expires))

    private fun list(number: UInt, vararg serials: UInt) =
        RevocationList.issue(signer, Revoked("acme", NOW, number, serials.toList()))

    private fun refused(call: () -> Unit) = thrown<IotkmException.Refused>(call).reason

    @Test
    fun `a ticket is what the page says, whoever reads it`() {
        val issued = ticket("lamp-7", 1u)
        assertEquals(PAGE, issued.bytes().joinToString("") { "%02x".format(it) })
        val read = Ticket.verify(issued.bytes(), agent)
        assertEquals(claims("lamp-7", 1u).serial, read.claims().serial)
        assertEquals("lamp-7", read.claims().device)
        assertEquals(Curve.X25519, read.claims().curve)
        assertEquals(8, read.reference().size)
        read.check(NOW)
        read.check(null)
        assertEquals("expired", refused { read.check(NOW + YEAR) })
        assertEquals("expired", refused { read.check(null, NOW + YEAR) })
        val over = thrown<IotkmException.Refused> { read.check(NOW + YEAR) }
        assertTrue(over.toString().contains("refused: it is over (expired) [-209]"), "$over")
        assertEquals("not_yet_valid", refused { read.check(NOW - 301u) })
        assertEquals("agent", refused { Ticket.verify(issued.bytes(), signer.agent("other")) })
        assertEquals("signature", refused { Ticket.verify(issued.bytes(), SigningKey(Algorithm.ED_DSA, key(8)).agent("acme")) })
        assertEquals("algorithm", refused { Ticket.verify(issued.bytes(), es256.agent("acme")) })
        val bytes = issued.bytes()
        assertEquals(-201, thrown<IotkmException> { Ticket.peek(bytes.copyOf(bytes.size - 1)) }.code())
        for (i in bytes.indices) {
            bytes[i] = (bytes[i].toInt() xor 4).toByte()
            thrown<IotkmException.Refused> { Ticket.verify(bytes, agent) }
            bytes[i] = (bytes[i].toInt() xor 4).toByte()
        }
        assertEquals("claims", refused { ticket("", 1u) })
        thrown<IotkmException.BadArgument> { Ticket.verify(bytes, Agent("acme", Algorithm.ED_DSA, ByteArray(31))) }
        val es = Ticket.issue(es256, claims("lamp-7", 2u))
        assertEquals(2u, Ticket.verify(es.bytes(), es256.agent("acme")).claims().serial)
    }

    @Test
    fun `a wallet takes what is its own, and loses nothing`() {
        val store = TestStore()
        val wallet = Wallet("lamp-7", agent)
        assertNull(wallet.ticket(NOW))
        thrown<IotkmException.NotFound> { wallet.load(device, store, 3u) }
        assertTrue(wallet.install(ticket("lamp-7", 1u), NOW))
        assertFalse(wallet.install(ticket("lamp-7", 1u), NOW))
        assertNull(wallet.acknowledgement())
        store.broken = "worn out"
        thrown<IotkmException.Store> { wallet.save(device, store, 3u) }
        assertTrue(wallet.needsStore())
        store.broken = null
        wallet.save(device, store, 3u)
        assertFalse(wallet.needsStore())
        val next = ticket("lamp-7", 2u, NOW + 2UL * YEAR).bytes()
        assertTrue(wallet.handle(byteArrayOf(0x82.toByte(), 1, 0x58, next.size.toByte()) + next, NOW))
        assertEquals(2u, wallet.ticket(NOW)!!.claims().serial)
        assertEquals(listOf(2u, 1u), wallet.tickets().map { it.claims().serial })
        assertEquals("subject", refused { wallet.install(ticket("lamp-8", 3u), NOW) })
        assertEquals("older", refused { wallet.install(ticket("lamp-7", 4u, NOW + 5UL), NOW) })
        assertArrayEquals(byteArrayOf(0x82.toByte(), 4, 0x38, 0xce.toByte()), wallet.refusal(-207))

        val peer = ticket("switch", 9u)
        wallet.check(peer, NOW)
        assertTrue(wallet.revoke(list(4u, 9u)))
        assertEquals("revoked", refused { wallet.check(peer, NOW) })
        assertEquals("older", refused { wallet.revoke(list(3u)) })
        assertEquals(4u, wallet.listNumber())
        assertEquals(NOW, wallet.floor())
        wallet.save(device, store, 3u)

        val again = Wallet("lamp-7", agent)
        assertEquals(-9, thrown<IotkmException> { again.load(Device(TestVault(6), null), store, 3u) }.code())
        again.load(device, store, 3u)
        assertEquals("revoked", refused { again.check(peer, null) })
        assertArrayEquals(wallet.acknowledgement(), again.acknowledgement())
        thrown<IotkmException.WrongState> { again.load(device, store, 3u) }
        thrown<IotkmException.BadBlob> { Wallet("lamp-8", agent).load(device, store, 3u) }
        assertEquals(-10, thrown<IotkmException> { Wallet("lamp-7", agent).restore(device, store.slots[3u]!!.bytes, 99u) }.code())
        thrown<IotkmException.BadArgument> { Wallet("", agent) }
        assertEquals("Wallet(lamp-7)", "$wallet")
        assertTrue(list(5u, 3u, 8u).contains(8u))
        assertEquals("claims", refused { list(5u, 8u, 3u) })
        assertEquals(listOf(3u, 8u), RevocationList.verify(list(5u, 3u, 8u).bytes(), agent).revoked().serials)
    }

    @Test
    fun `static keys stay in the vault`() {
        fun request(number: Int) = ticketRequest(device, number.toUShort(), Curve.X25519, "lamp-7", "light", YEAR)
        assertTrue(thrown<IotkmException.Vault> { request(1) }.reason.contains("no such key"))
        vault.keys[1u] = StaticKey.generate(device, Curve.X25519)
        vault.keys[2u] = StaticKey.generate(device, Curve.P256)
        val request = request(1)
        assertTrue(request.toList().windowed(32).any { it == vault.keys[1u]!!.publicKey().toList() })
        thrown<IotkmException.Vault> { request(2) } // of another curve
        vault.slow = 1
        assertTrue(thrown<IotkmException.Vault> { request(1) }.reason.contains("again"))
        assertArrayEquals(request, request(1))
        assertEquals("claims", refused { ticketRequest(device, 1u, Curve.X25519, "", "", YEAR) })

        for (curve in Curve.entries) {
            val (a, b) = List(2) { StaticKey.generate(device, curve) }
            assertArrayEquals(a.agree(b.publicKey()), b.agree(a.publicKey()))
            assertArrayEquals(a.publicKey(), StaticKey.restore(device, curve, a.seal(device)).publicKey())
            val none: Byte = if (curve == Curve.P256) -1 else 0 // P-256 has a point with x = 0
            thrown<IotkmException.BadArgument> { a.agree(ByteArray(a.publicKey().size) { none }) }
            if (curve != Curve.X25519) {
                // What a vault of whole points gives: P-256's x is what ECDH gives.
                val g = if (curve == Curve.P256) byteArrayOf(4) + G else null
                g?.let { assertArrayEquals(a.agree(G.copyOf(32)), a.power(it).copyOfRange(1, 33)) }
            } else {
                thrown<IotkmException.BadArgument> { a.power(b.publicKey()) }
            }
            thrown<IotkmException.BadBlob> { StaticKey.restore(Device(TestVault(6), null), curve, a.seal(device)) }
            assertTrue("$a".endsWith(", ..)"))
        }
    }
}
