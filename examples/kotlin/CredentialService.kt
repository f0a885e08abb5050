// An operator's devices get their next credentials over associations: one has a clock and asks, one has none and is told to.
//
// The counterpart of OperatorService.kt in the noninteractive scheme. A part of the next private key is the device's own, so the
// device asks; the operator answers each request once, whatever is lost, and here its power goes at the worst moment. Time is played:
// a month passes at once.
package org.iotkm.example

import org.iotkm.*
import java.security.SecureRandom

private val SUITE = Suite.SUITE2

/** The operator's key and records. */
private class Registry {
    private val device = Device(ProcessVault(), null)
    private val key = OperatorKey.generate(device, SUITE)
    private val lists = SigningKey(Algorithm.ED_DSA, SecretBytes(ByteArray(32).also { SecureRandom().nextBytes(it) }))
    private val numbers = TicketAgent("acme").also { it.save(device, MemoryStore(), 1u) }
    private val answers = mutableMapOf<Pair<String, List<Byte>>, ByteArray>()

    /** What devices go by. */
    val operator = CredentialOperator("acme", SUITE, key.publicKey(), lists.algorithm(), lists.publicKey())

    /** The same answer to the same request; request and answer are stored before that leaves. */
    fun answer(name: String, request: ByteArray, now: ULong) =
        answers.getOrPut(name to request.toList()) { key.issue(device, numbers, request, now.toUInt(), 720u) }

    fun issuedTo(name: String) = answers.keys.count { it.first == name }
}

/** What an answer begins with; 32 bytes follow. */
private fun credentialIn(answer: ByteArray) = Credential(SUITE, answer.copyOf(answer.size - 32))

/** A device: static keys, holder, store. */
private class Enrolled(val name: String, val registry: Registry, now: ULong) {
    private val vault = ProcessVault()
    val device = Device(vault, null)
    val store = MemoryStore()
    val holder = Holder(name, registry.operator)

    init {
        // The first credential, at the factory's bench.
        val asked = CredentialRequest(device, SUITE, name)
        install(holder.accept(asked, registry.answer(name, asked.request(), now), now), now, 0u)
    }

    /** First the key, then what it belongs to. */
    fun install(issued: Issued, now: ULong?, key: UShort) {
        store.write((10u + key).toUShort(), 0u, issued.key.seal(device))
        vault.keys[key] = issued.key
        holder.install(issued.credential, now)
        save()
    }

    fun save() {
        if (holder.needsStore()) holder.save(device, store, 0u)
    }

    /** An epoch a day; the key in use is number 0, that of the next credential 1. */
    fun with(peer: String, slot: UShort) = Noninteractive.open(
        device, CredentialPeer.named(SUITE, slot, name, peer), holder,
        CredentialSetup(interval = DAY.toUInt(), length = 365u, nextKey = 1u), Config(tries = 4u), store)
}

/** The operator's server. */
private class Desk(private val room: Room, private val registry: Registry, devices: List<Enrolled>) {
    private val own = Enrolled("operator", registry, room.seconds)
    private val hub = Hub.open(own.device, room.cx, 10_000u, 8u, own.store)
    private val operator = Operator(10_000u, 3UL * DAY, DAY)
    private val names = devices.map { it.name }
    private val sessions = devices.mapIndexed { n, it -> own.with(it.name, (n + 1).toUShort()) }
    private val heard = ArrayDeque<Pair<String, ByteArray>>()
    private val up = ArrayDeque<String>()

    /** Answers that their devices have not acknowledged. */
    val waiting = mutableMapOf<String, ByteArray>()

    /** Whether the next answer leaves. */
    var hasPower = true

    init {
        for ((device, session) in devices.zip(sessions)) {
            operator.knowsCredential(device.holder.credential()!!)
            hub.insertAt(names.indexOf(device.name).toUInt(), Association.Noninteractive(session))
        }
        room.enter("operator", Room.Member(::poll, ::input, hub::handleTimeout))
    }

    /** Tells every device to ask whose credential ends soon: those that have not asked by their own clocks. */
    fun tell() {
        while (true) say(operator.ask(room.seconds) ?: break, TicketMessage.CredentialDue)
    }

    /** Takes in what devices said, and answers; sends what waits to those that came up; whether there was anything to do. */
    fun work(): Boolean {
        val busy = heard.isNotEmpty() || up.isNotEmpty()
        while (heard.isNotEmpty()) heard.removeFirst().let { (name, message) -> take(name, message) }
        while (up.isNotEmpty()) up.removeFirst().let { name -> waiting[name]?.let { say(name, TicketMessage.CredentialAnswer(it)) } }
        return busy
    }

    private fun take(name: String, message: ByteArray) {
        when (val said = readTicketMessage(message)) {
            is TicketMessage.CredentialAsked -> answer(name, said.request)
            else -> if (operator.handle(name, message)) waiting.remove(name)
        }
    }

    private fun answer(name: String, request: ByteArray) {
        // Nobody asks in another's name. How often a device may ask anew is the operator's policy.
        if (requestedDevice(SUITE, request) != name) return
        val answer = registry.answer(name, request, room.seconds)
        if (!hasPower) return run { hasPower = true }
        operator.issuedCredential(credentialIn(answer))
        waiting[name] = answer
        say(name, TicketMessage.CredentialAnswer(answer))
    }

    private fun say(name: String, message: TicketMessage) {
        val session = sessions[names.indexOf(name)]
        if (!session.isEstablished()) return
        room.carry("operator", name.toByteArray(), session.send(room.cx, writeTicketMessage(message)).bytes)
    }

    /** The serial of the credential that a device has shown. */
    fun shownBy(name: String) = sessions[names.indexOf(name)].peer().credential?.claims()?.serial

    private fun poll(cx: Cx): Output {
        val (place, output) = hub.poll(cx)
        if (output is Output.Happened && (output.event is Event.Established || output.event is Event.Resumed)) up += names[place!!.toInt()]
        return output
    }

    private fun input(cx: Cx, from: ByteArray, datagram: ByteArray): Received? {
        hub.handleInput(cx, from, datagram)?.let { heard += names[it.place.toInt()] to it.received.payload }
        return null
    }
}

/** A device's program: it keeps its credential new. */
private class Appliance(private val room: Room, private val its: Enrolled, private val hasClock: Boolean) {
    private val session = its.with("operator", 1u)
    private val heard = ArrayDeque<ByteArray>()
    private val now get() = room.seconds.takeIf { hasClock }

    init {
        room.enter(its.name, Room.Member({ session.poll(seen(it)) }, ::input, { session.handleTimeout(seen(it)) }))
        comeUp()
    }

    private fun seen(cx: Cx) = if (hasClock) cx else Cx(cx.now, null)

    /** A handshake: it shows the credential that it has now. */
    fun comeUp() = session.connect(seen(room.cx), "operator".toByteArray())

    /** Asks when it is time, and again while there is no answer: now and then, and when a session comes up. */
    fun look() {
        if (its.holder.isAsking() || now.let { it != null && it >= its.holder.dueAt(10UL * DAY) }) ask()
    }

    private fun ask() {
        its.holder.ask(its.device)
        its.save() // what was drawn, before the request leaves
        its.holder.request()?.let(::say)
    }

    /** Does what the operator says; whether it said anything. */
    fun work(): Boolean {
        val message = heard.removeFirstOrNull() ?: return false
        try {
            when (val told = its.holder.handle(message, now)) {
                is Told.Nothing -> return true
                is Told.Ask -> return true.also { ask() }
                is Told.Next -> its.install(told.issued, now, 1u)
                is Told.Acknowledge -> its.save()
            }
            its.holder.acknowledgement()?.let(::say)
        } catch (refused: IotkmException.Refused) {
            say(writeTicketMessage(TicketMessage.Refusal(refused.code().toLong())))
        }
        return true
    }

    private fun say(message: ByteArray) =
        room.carry(its.name, "operator".toByteArray(), session.send(seen(room.cx), message).bytes).let {}

    private fun input(cx: Cx, from: ByteArray, datagram: ByteArray): Received? {
        session.handleInput(seen(cx), from, datagram)?.let { heard += it.payload }
        return null
    }
}

/** Runs the example; whether all went well. */
fun credentialService(log: (String) -> Unit): Boolean {
    val room = Room(log)
    val registry = Registry()
    val (lamp, switch) = listOf("lamp", "switch").map { Enrolled(it, registry, room.seconds) }
    val desk = Desk(room, registry, listOf(lamp, switch))
    val bulb = Appliance(room, lamp, hasClock = true)
    val knob = Appliance(room, switch, hasClock = false)
    fun settle() {
        do room.settle() while (desk.work() or bulb.work() or knob.work())
    }
    fun serial(of: Enrolled) = of.holder.credential()!!.claims().serial
    settle()

    // 22 days later the lamp asks by its clock. The operator's power goes once the answer is in its records: nothing comes.
    room.until(22UL * DAY) { false }
    desk.hasPower = false
    bulb.look()
    settle()
    log("lamp waits for an answer: ${lamp.holder.isAsking()}")
    if (!lamp.holder.isAsking() || serial(lamp) != 1u) return false
    bulb.look()
    settle()
    log("lamp has credential ${serial(lamp)}, and was issued ${registry.issuedTo("lamp")} in all")
    if (serial(lamp) != 4u || registry.issuedTo("lamp") != 2 || desk.waiting.isNotEmpty()) return false

    // 6 days more: the switch's ends in two. It has no clock, and is told.
    room.until(6UL * DAY) { false }
    desk.tell()
    settle()
    log("switch has credential ${serial(switch)}")
    if (serial(switch) != 5u || desk.waiting.isNotEmpty()) return false

    // From the next handshake on they go by the new ones; until then the sessions went on under the old.
    listOf(bulb, knob).forEach { it.comeUp() }
    settle()
    log("the operator has seen credentials ${desk.shownBy("lamp")} and ${desk.shownBy("switch")}")
    return desk.shownBy("lamp") == 4u && desk.shownBy("switch") == 5u
}
