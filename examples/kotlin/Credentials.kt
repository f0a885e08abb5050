// The noninteractive scheme: a sensor and a gateway get credentials by split issue, shake hands once, and from then on compute
// the keys of every epoch by themselves: nothing is sent for it. A restart goes on from the store.
//
// What a real application does otherwise: the operator is somewhere else, requests and answers travel (neither is secret), keys
// lie in a key store that can give whole points, and every device has its own program.
package org.iotkm.example

import org.iotkm.*
import java.security.SecureRandom

/** Issues credentials; it never learns a device's private key. */
private class Issuer {
    private val device = Device(ProcessVault(), null)
    private val key = OperatorKey.generate(device, Suite.SUITE0)
    private val lists = SigningKey(Algorithm.ED_DSA, SecretBytes(ByteArray(32).also { SecureRandom().nextBytes(it) }))
    private val numbers = TicketAgent("acme").also { it.save(device, MemoryStore(), 1u) }
    val operator = CredentialOperator("acme", Suite.SUITE0, key.publicKey(), lists.algorithm(), lists.publicKey())

    fun answer(request: ByteArray, now: ULong) = key.issue(device, numbers, request, now.toUInt(), 720u)
}

/** A device: static key, holder, store. */
private class Credentialed(private val name: String, private val peer: String, issuer: Issuer, now: ULong) {
    private val vault = ProcessVault()
    private val device = Device(vault, null)
    private val store = MemoryStore()
    private val holder = Holder(name, issuer.operator)

    init {
        val asked = CredentialRequest(device, Suite.SUITE0, name)
        val issued = holder.accept(asked, issuer.answer(asked.request(), now), now)
        // First the key, then what it belongs to.
        vault.keys[0u] = issued.key
        holder.install(issued.credential, now)
        holder.save(device, store, 0u)
    }

    /** An epoch an hour, a day of them. */
    private fun open(known: CredentialPeer) =
        Noninteractive.open(device, known, holder, CredentialSetup(3600u, 24u), Config(), store)

    fun new() = open(CredentialPeer.named(Suite.SUITE0, 1u, name, peer))
    fun again() = open(CredentialPeer.restore(device, Suite.SUITE0, store, 1u))
}

/** Runs the example; whether all went well. */
fun credentials(log: (String) -> Unit): Boolean {
    val room = Room(log)
    val issuer = Issuer()
    val here = Credentialed("sensor", "gateway", issuer, room.seconds)
    var sensor = here.new()
    val gateway = Credentialed("gateway", "sensor", issuer, room.seconds).new()
    fun member(own: Noninteractive) = Room.Member(own::poll, own::handleInput, own::handleTimeout)
    room.enter("sensor", member(sensor))
    val there = room.enter("gateway", member(gateway))
    fun say(text: String) = room.carry("sensor", "gateway".toByteArray(), sensor.send(room.cx, text.toByteArray()).bytes)

    sensor.connect(room.cx, "gateway".toByteArray())
    if (!room.until { sensor.isEstablished() && gateway.isEstablished() }) return false
    say("21.5 C")
    room.settle()

    // Five hours later: five epochs further, not a byte for it.
    val before = room.datagrams
    room.until(5UL * 3600UL + 60UL) { false }
    log("epoch ${sensor.epoch()} on both sides, ${room.datagrams - before} datagrams since the handshake's data")
    if (room.datagrams != before || sensor.epoch() != 6u || gateway.epoch() != 6u) return false
    say("20.9 C")
    room.settle()

    // The power fails: the store has all that is needed.
    sensor.destroy()
    sensor = here.again()
    room.enter("sensor", member(sensor))
    sensor.goOn(room.cx)
    if (!room.until { sensor.isEstablished() }) return false
    say("20.8 C")
    room.settle()
    return there.received == listOf("21.5 C", "20.9 C", "20.8 C")
}
