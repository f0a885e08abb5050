// An operator renews its devices' tickets over associations: one is on, one sleeps, one is stolen.
//
// The operator asks the agent for the next ticket before the one that a device holds ends, keeps it, and sends it whenever a
// session with the device comes up, until the device says that it is stored. Nothing is lost in this room; on a bad link send
// again what is not acknowledged after a while. Time is played: a month passes at once.
package org.iotkm.example

import org.iotkm.*

/** The operator's server. */
private class Server(private val room: Room, private val agency: Agency, devices: List<Ticketed>) {
    private val own = Ticketed("operator", agency, room.seconds)
    private val hub = Hub.open(own.device, room.cx, 10_000u, 8u, own.store)
    private val operator = Operator(10_000u, 7UL * DAY, DAY)
    private val requests = devices.associate { it.name to it.request }
    private val names = devices.map { it.name }
    private val sessions = devices.mapIndexed { n, it -> own.with(it.name, (n + 1).toUShort()) }
    private val waiting = mutableMapOf<String, Ticket>()
    private var list: RevocationList? = null
    private val heard = ArrayDeque<Pair<String, ByteArray>>()
    private val due = ArrayDeque<String>()

    init {
        for ((device, session) in devices.zip(sessions)) {
            operator.knows(device.wallet.ticket(room.seconds)!!)
            hub.insertAt(names.indexOf(device.name).toUInt(), Association.Interactive(session))
        }
        room.enter("operator", Room.Member(::poll, ::input, hub::handleTimeout))
    }

    fun isWaiting() = waiting.keys.toList()

    fun revoke(of: Ticketed) {
        operator.forget(of.name)
        waiting.remove(of.name)
        list = agency.revoke(of.wallet.tickets().map { it.claims().serial }, room.seconds)
        due += names
    }

    /** Asks for every ticket that is due. */
    fun renew() {
        while (true) {
            val name = operator.ask(room.seconds) ?: break
            val request = writeTicketMessage(TicketMessage.Request(requests.getValue(name)))
            val answer = readTicketMessage(agency.answer(request, room.seconds)) as TicketMessage.Ticket
            val ticket = Ticket.verify(answer.ticket.bytes(), agency.agent)
            operator.issued(ticket)
            waiting[name] = ticket
            due += name
        }
    }

    /** Takes in what devices said, and sends what they lack; whether there was anything to do. */
    fun work(): Boolean {
        val busy = heard.isNotEmpty() || due.isNotEmpty()
        while (heard.isNotEmpty()) {
            val (name, message) = heard.removeFirst()
            if (operator.handle(name, message)) waiting.remove(name)
        }
        while (due.isNotEmpty()) push(due.removeFirst())
        return busy
    }

    private fun push(name: String) {
        val session = sessions[names.indexOf(name)]
        if (!session.isEstablished()) return
        val messages = listOfNotNull(list?.let { TicketMessage.RevocationList(it) }, waiting[name]?.let { TicketMessage.Ticket(it) })
        for (message in messages) {
            room.carry("operator", name.toByteArray(), session.send(room.cx, writeTicketMessage(message)).bytes)
            room.settle()
        }
    }

    private fun poll(cx: Cx): Output {
        val (place, output) = hub.poll(cx)
        if (output is Output.Happened && (output.event is Event.Established || output.event is Event.Resumed)) due += names[place!!.toInt()]
        return output
    }

    private fun input(cx: Cx, from: ByteArray, datagram: ByteArray): Received? {
        hub.handleInput(cx, from, datagram)?.let { heard += names[it.place.toInt()] to it.received.payload }
        return null
    }
}

/** A device's program: it takes what its operator sends, stores it, says so. */
private class Client(private val room: Room, private val its: Ticketed) {
    private val session = its.with("operator", 1u)
    private val heard = ArrayDeque<ByteArray>()

    init {
        room.enter(its.name, Room.Member(session::poll, ::input, session::handleTimeout))
        session.connect(room.cx, "operator".toByteArray())
    }

    private fun input(cx: Cx, from: ByteArray, datagram: ByteArray): Received? {
        session.handleInput(cx, from, datagram)?.let { heard += it.payload }
        return null
    }

    fun work(): Boolean {
        val message = heard.removeFirstOrNull() ?: return false
        val answer = try {
            val due = its.wallet.handle(message, room.seconds)
            its.wallet.save(its.device, its.store, 0u)
            its.wallet.acknowledgement().takeIf { due }
        } catch (refused: IotkmException.Refused) {
            its.wallet.refusal(refused.code())
        }
        answer?.let { room.carry(its.name, "operator".toByteArray(), session.send(room.cx, it).bytes) }
        session.recheck(room.cx)
        return true
    }
}

/** Runs the example; whether all went well. */
fun operatorService(log: (String) -> Unit): Boolean {
    val room = Room(log)
    val agency = Agency()
    val (lamp, switch) = listOf("lamp", "switch").map { Ticketed(it, agency, room.seconds) }
    val server = Server(room, agency, listOf(lamp, switch))
    val clients = mutableListOf(Client(room, lamp))
    fun settle() {
        do room.settle() while (server.work() or clients.map { it.work() }.any { it })
    }
    fun newest(of: Ticketed) = of.wallet.tickets().first().claims().serial
    settle()

    // 25 days later tickets end within a week. The lamp is on; the switch sleeps, and gets its own when it comes up.
    room.until(25UL * DAY) { false }
    server.renew()
    settle()
    log("lamp has ticket ${newest(lamp)}")
    log("waits for ${server.isWaiting().joinToString()}")
    if (newest(lamp) != 4u || server.isWaiting() != listOf("switch")) return false
    clients += Client(room, switch)
    settle()
    log("switch has ticket ${newest(switch)}")
    if (newest(switch) != 5u || server.isWaiting().isNotEmpty()) return false

    // The switch is stolen. Whoever is on hears of it now, the others when they come up. (The switch hears of it too; a thief
    // would keep that from it, and be turned away by the lamp.)
    server.revoke(switch)
    settle()
    log("lamp has list ${lamp.wallet.listNumber()}")
    val refused = runCatching { switch.with("lamp", 2u).connect(room.cx, "lamp".toByteArray()) }.exceptionOrNull()
    log("switch: ${refused?.message}")
    return lamp.wallet.listNumber() == 1u && refused is IotkmException.NoCredential
}
