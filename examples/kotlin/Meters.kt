// The microcert scheme: the hub of a house is an authentication centre for two meters, one of which has no clock. They are enrolled,
// authenticate themselves, send and sign readings; one gets a new key seed and loses power, the other is stolen and revoked.
//
// What a real application does otherwise: invitation and deposit go over a serial line or in a file, the key database is SQLite,
// the centre's keys lie in the platform's key store, and every meter has its own program. A city's centre is `iotkm centre`.
package org.iotkm.example

import org.iotkm.*
import java.nio.ByteBuffer
import java.security.SecureRandom

private val HOUSE = "house".toByteArray()

/** Stands for a database: compare-and-swap by the version in a row's first four bytes. */
private class Rows : SeedStore {
    private val rows = mutableMapOf<List<Byte>, SeedRow>()
    override fun get(id: ByteArray) = rows[id.toList()]
    override fun swap(id: ByteArray, version: UInt, state: ByteArray, seed: ByteArray?): Boolean {
        val there = rows[id.toList()]
        if (version != 1u + (there?.let { ByteBuffer.wrap(it.state).int.toUInt() } ?: 0u)) return false
        rows[id.toList()] = SeedRow(state, seed ?: there!!.seed)
        return true
    }
}

/** The hub: the centre, and its side of the sessions. */
private class House(room: Room, private val log: (String) -> Unit) {
    private val device = Device(ProcessVault(), null)
    private val keys = SecretBytes(ByteArray(96).also(SecureRandom()::nextBytes))
    private val sessions = mutableMapOf<List<Byte>, Served>()
    private val replies = ArrayDeque<Output>()
    val centre = AuthCenter.open(device, HOUSE, SoftKeys(keys), Rows(), CentreSetup())
    val member = room.enter("house", Room.Member(::poll, ::input) { cx -> sessions.values.forEach { it.handleTimeout(cx) } })

    private fun poll(cx: Cx): Output {
        replies.removeFirstOrNull()?.let { return it }
        var wakeAt: ULong? = null
        for (session in sessions.values) when (val output = session.poll(cx)) {
            is Output.Idle -> wakeAt = listOfNotNull(wakeAt, output.wakeAt).minOrNull()
            else -> return output
        }
        return Output.Idle(wakeAt)
    }

    private fun input(cx: Cx, from: ByteArray, datagram: ByteArray): Received? {
        centre.sessionOf(datagram)?.let { return sessions[it.toList()]?.handleInput(cx, from, datagram) }
        val handled = centre.handleInput(cx, from, datagram)
        handled.reply?.let { replies += Output.Datagram(from, it) }
        handled.event?.let { log("house: ${handled.id!!.decodeToString()}: $it") }
        handled.session?.let { granted ->
            sessions.values.removeIf { it.id().contentEquals(granted.id()) }
            sessions[granted.cid().toList()] = Served.open(device, granted, Config())
        }
        return null
    }
}

/** A meter. */
private class Meter(private val room: Room, val name: String, house: House, clockless: Boolean) {
    private val device = Device(ProcessVault(), null)
    private val store = MemoryStore()
    val id = name.toByteArray()
    lateinit var own: Microcert

    init {
        // On the bench: the invitation holds the transport key, so it comes over a wire and is erased; the deposit goes back.
        val invitation = house.centre.invite(room.cx, id, Suite.SUITE0_SYMMETRIC, clockless)
        val chip = Chip.enrol(device, 1u, 2u, invitation)
        invitation.fill(0)
        chip.save(device, store)
        chip.confirm(house.centre.enrol(room.cx, chip.deposit()).confirmation)
        chip.save(device, store)
        start()
    }

    /** From what is stored: power has come. */
    fun start() {
        own = Microcert.open(device, Chip.restore(device, store, 1u, 2u), Config(), store)
        room.enter(name, Room.Member(own::poll, own::handleInput, own::handleTimeout))
    }

    /** How many datagrams it took. */
    fun authenticate(): Int {
        val before = room.datagrams
        own.authenticate(room.cx, HOUSE)
        room.settle()
        return room.datagrams - before
    }

    fun say(text: String) {
        room.carry(name, HOUSE, own.send(room.cx, text.toByteArray()).bytes)
        room.settle()
    }

    fun sign(data: ByteArray): ByteArray = try {
        own.sign(room.cx, data)
    } catch (_: IotkmException.Undrained) {
        room.settle() // a counter is reserved first: it must be stored
        own.sign(room.cx, data)
    }
}

/** Runs the example; whether all went well. */
fun meters(log: (String) -> Unit): Boolean {
    val room = Room(log)
    val house = House(room, log)
    val kitchen = Meter(room, "kitchen", house, clockless = false)
    val cellar = Meter(room, "cellar", house, clockless = true)

    // A clock saves two of four messages.
    val datagrams = listOf(kitchen, cellar).map { it.authenticate() }
    log("datagrams with a clock and without: $datagrams")
    if (datagrams != listOf(2, 4)) return false

    // A session, under the key that the authentication gave.
    kitchen.own.connect(room.cx, HOUSE)
    room.settle()
    kitchen.say("4.2 kWh")
    if (house.member.received != listOf("4.2 kWh")) return false

    // A signed reading, brought by somebody who walked by.
    val reading = "cellar, 0.9 m3".toByteArray()
    val signature = cellar.sign(reading)
    val signed = house.centre.verify(signature, reading)
    log("${signature.size} bytes: signed by ${signed?.id?.decodeToString()}")
    if (signed == null || house.centre.verify(signature, "cellar, 0.1 m3".toByteArray()) != null) return false

    // A new seed; then the power goes.
    house.centre.update(kitchen.id)
    kitchen.authenticate()
    kitchen.start()
    kitchen.authenticate()
    val generation = kitchen.own.chip().generation
    log("kitchen has seed $generation, for the years to ${kitchen.own.chip().lastYear}")
    if (generation != 1u || house.centre.device(kitchen.id)!!.generation != 1u) return false

    // The cellar's meter is stolen. As soon as it comes, it is told to kill its seed; what it signed verifies no more.
    house.centre.revoke(cellar.id)
    cellar.authenticate()
    log("cellar is ${house.centre.device(cellar.id)!!.standing}")
    return cellar.own.chip().revoked && house.centre.verify(signature, reading) == null
}
