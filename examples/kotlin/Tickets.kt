// The interactive scheme: a lamp and a switch with tickets come to a gateway that trusts whom the agent vouches for. Then the
// switch is stolen, its ticket revoked, and it is turned away.
//
// What a real application does otherwise: the agent is somewhere else and sends tickets and lists through an operator, keys
// lie in the platform's key store, and every device has its own program.
package org.iotkm.example

import org.iotkm.*

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
    gateway.wallet.revoke(agency.revoke(devices[1].wallet.tickets().map { it.claims().serial }, room.seconds))
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
