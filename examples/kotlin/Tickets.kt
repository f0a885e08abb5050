// The interactive scheme: a lamp and a switch with tickets come to a gateway that trusts whom the agent vouches for. Then the
// switch is stolen, its ticket revoked, and it is turned away.
//
// What a real application does otherwise: the agent is somewhere else and sends tickets and lists through an operator, keys
// lie in the platform's key store, and every device has its own program.
package org.iotkm.example

import org.iotkm.*
import java.security.SecureRandom

/** Issues tickets. */
private class Agency {
    private val secret = SecretBytes(ByteArray(32).also { SecureRandom().nextBytes(it) })
    private var serial = 0u
    val agent = agentOf("acme", Algorithm.ED_DSA, secret)

    fun issue(device: String, key: StaticKey, now: ULong): Ticket {
        serial += 1u
        val claims = Claims("acme", device, key.curve(), key.publicKey(), serial, now, now + 30UL * 86_400UL)
        return Ticket.issue(Algorithm.ED_DSA, secret, claims)
    }

    fun revoke(ticket: Ticket, now: ULong) =
        RevocationList.issue(Algorithm.ED_DSA, secret, Revoked("acme", now, 1u, listOf(ticket.claims().serial)))
}

/** A device: static key, wallet, store. */
private class Ticketed(private val name: String, agency: Agency, now: ULong) {
    private val vault = ProcessVault()
    val device = Device(vault, null)
    val store = MemoryStore()
    val wallet = Wallet(name, agency.agent)

    init {
        vault.keys[0u] = StaticKey.generate(device, Curve.X25519)
        wallet.install(agency.issue(name, vault.keys.getValue(0u), now), now)
        wallet.save(device, store, 0u)
    }

    fun with(peer: String, slot: UShort) = Interactive.open(
        device, TicketPeer.named(slot, name, peer), wallet, TicketSetup(listOf(Suite.SUITE0)), Config(tries = 4u), store)
}

/** Runs the example; whether all went well. */
fun tickets(log: (String) -> Unit): Boolean {
    val room = Room(log)
    val agency = Agency()
    val gateway = Ticketed("gateway", agency, room.seconds)
    val hub = Hub.open(gateway.device, room.cx, 10u, 8u, gateway.store)
    val middle = room.enter("gateway", Room.Member({ hub.poll(it).output }, { cx, from, bytes -> hub.handleInput(cx, from, bytes)?.received }, hub::handleTimeout))

    val names = listOf("lamp", "switch")
    val atGateway = names.mapIndexed { n, name -> gateway.with(name, (n + 1).toUShort()).also { hub.insert(Association.Interactive(it)) } }
    val devices = names.map { Ticketed(it, agency, room.seconds) }
    val (lamp, switch) = names.zip(devices) { name, it ->
        it.with("gateway", 1u).also { own -> room.enter(name, Room.Member(own::poll, own::handleInput, own::handleTimeout)) }
    }

    // First contact: tickets, and what comes of them; then data both ways.
    for ((name, own) in names.zip(listOf(lamp, switch))) {
        own.connect(room.cx, "gateway".toByteArray())
        if (!room.until { own.isEstablished() && atGateway.all { it.peer().id != name || it.isEstablished() } }) return false
        room.carry(name, "gateway".toByteArray(), own.send(room.cx, "$name is here".toByteArray()).bytes)
        room.settle()
    }
    // The next time both have a common key: no tickets, half the bytes.
    lamp.connect(room.cx, "gateway".toByteArray())
    room.settle()
    log("lamp: ${lamp.peer().generation} key replacements with ${lamp.peer().id}")

    // The switch is stolen.
    gateway.wallet.revoke(agency.revoke(devices[1].wallet.ticket(room.seconds)!!, room.seconds))
    gateway.wallet.save(gateway.device, gateway.store, 0u)
    atGateway.forEach { it.recheck(room.cx) }
    room.settle()
    switch.wipe()
    switch.authenticate(room.cx, "gateway".toByteArray())
    room.until(60u) { switch.isEstablished() }
    log("the switch is ${if (switch.isEstablished()) "let in" else "turned away"}")
    return middle.received == listOf("lamp is here", "switch is here") && lamp.isEstablished() && atGateway[0].isEstablished() &&
        !switch.isEstablished() && !atGateway[1].isEstablished()
}
