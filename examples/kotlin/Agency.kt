// What the examples with tickets share: an agent, and a device that goes by it.
package org.iotkm.example

import org.iotkm.*
import java.security.SecureRandom

const val DAY = 86_400UL

/** A ticket agent. In the field it is somewhere else, its key perhaps in a token (`SigningKey.external`). */
class Agency {
    private val device = Device(ProcessVault(), null)
    private val store = MemoryStore()
    private val key = SigningKey(Algorithm.ED_DSA, SecretBytes(ByteArray(32).also { SecureRandom().nextBytes(it) }))
    private val numbers = TicketAgent("acme").also { it.save(device, store, 1u) } // before a number is given out

    /** What devices go by. */
    val agent = key.agent("acme")

    fun issue(request: TicketRequest, now: ULong): Ticket = try {
        numbers.issue(key, request, now)
    } catch (_: IotkmException.WrongState) {
        numbers.save(device, store, 1u) // 256 numbers further
        numbers.issue(key, request, now)
    }

    fun revoke(serials: List<UInt>, now: ULong) = numbers.revoke(key, serials.sorted(), now)

    /** An operator's message, answered. */
    fun answer(message: ByteArray, now: ULong): ByteArray {
        val asked = readTicketMessage(message) as TicketMessage.Request
        return writeTicketMessage(TicketMessage.Ticket(issue(asked.request, now)))
    }
}

/** A device: static key, wallet, store. */
class Ticketed(val name: String, agency: Agency, now: ULong) {
    private val vault = ProcessVault()
    val device = Device(vault, null)
    val store = MemoryStore()
    val wallet = Wallet(name, agency.agent)

    /** What is asked for it, now and whenever its ticket ends. */
    val request: TicketRequest

    init {
        val key = StaticKey.generate(device, Curve.X25519)
        vault.keys[0u] = key
        request = TicketRequest(name, key.curve(), key.publicKey(), 30UL * DAY)
        wallet.install(agency.issue(request, now), now)
        wallet.save(device, store, 0u)
    }

    fun with(peer: String, slot: UShort) = Interactive.open(
        device, TicketPeer.named(slot, name, peer), wallet, TicketSetup(listOf(Suite.SUITE0)), Config(tries = 4u), store)
}
