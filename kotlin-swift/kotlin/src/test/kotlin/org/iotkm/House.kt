// An authentication centre and devices of its own in one process, for the tests.
package org.iotkm

import java.nio.ByteBuffer

/** A key database in memory, which can be broken, and put back. */
class TestRows : SeedStore {
    var rows = mapOf<String, SeedRow>()
    var broken: String? = null
    override fun get(id: ByteArray): SeedRow? {
        broken?.let { throw CallbackException.Failed(it) }
        return rows[id.decodeToString()]
    }
    override fun swap(id: ByteArray, version: UInt, state: ByteArray, seed: ByteArray?): Boolean {
        broken?.let { throw CallbackException.Failed(it) }
        val there = rows[id.decodeToString()]
        if (version != 1u + (there?.let { ByteBuffer.wrap(it.state).int.toUInt() } ?: 0u)) return false
        rows = rows + (id.decodeToString() to SeedRow(state, seed ?: there!!.seed))
        return true
    }
}

/** The centre. */
class House {
    val device = Device(TestVault(77), TestRandom(77UL))
    val rows = TestRows()
    val centre = AuthCenter.open(
        device, "house".toByteArray(), SoftKeys(SecretBytes(ByteArray(96) { it.toByte() })), rows, CentreSetup())
    var now = 1_000UL
    /** 2026-02-20 */
    var wall = 1_771_549_600_000UL
    val events = mutableListOf<CentreEvent>()
    val sessions = mutableMapOf<String, Served>()
    val received = mutableListOf<String>()

    fun cx() = cx(now, wall + now)

    fun pass(seconds: Long) {
        now += seconds.toULong() * 1000UL
    }

    /** Takes in a datagram of this device's; what goes back. */
    fun hear(from: String, datagram: ByteArray): List<ByteArray> {
        val cid = centre.sessionOf(datagram)
        if (cid != null) {
            val session = sessions[cid.contentToString()] ?: return listOf()
            session.handleInput(cx(), from.toByteArray(), datagram)?.let { received += it.payload.decodeToString() }
            return said(session)
        }
        val handled = centre.handleInput(cx(), from.toByteArray(), datagram)
        handled.event?.let { events += it }
        val session = handled.session?.let { accepted ->
            Served.open(device, accepted, Config()).also { sessions[accepted.cid().contentToString()] = it }
        }
        return listOfNotNull(handled.reply) + (session?.let { said(it) } ?: listOf())
    }

    private fun said(session: Served): List<ByteArray> = buildList {
        while (true) when (val output = session.poll(cx())) {
            is Output.Datagram -> add(output.bytes)
            is Output.Idle -> break
            else -> {}
        }
    }

    fun row(name: String) = centre.device(name.toByteArray())!!
}

/** A device of the house's. */
class Meter(private val house: House, val name: String, suite: Suite = Suite.SUITE0_SYMMETRIC, clockless: Boolean = false) {
    val vault = TestVault(name.length + 30)
    val device = Device(vault, TestRandom(name.length.toULong()))
    val store = TestStore()
    lateinit var own: Microcert
    /** How many seconds its clock is ahead; none: it has no clock. */
    var clock: Long? = 0
    val events = mutableListOf<Event>()
    val wire = mutableListOf<ByteArray>()
    var loses: () -> Boolean = { false }
    var wakeAt: ULong? = null

    init {
        val invitation = house.centre.invite(house.cx(), name.toByteArray(), suite, clockless)
        val chip = Chip.enrol(device, 1u, 2u, invitation)
        val enrolled = house.centre.enrol(house.cx(), chip.deposit())
        check(enrolled.id.contentEquals(name.toByteArray()))
        chip.confirm(enrolled.confirmation)
        own = Microcert.open(device, chip, Config(), store)
        drain()
    }

    fun cx() = cx(house.now, clock?.let { (house.wall + house.now).toLong() + it * 1000 }?.toULong())

    fun reboot() {
        own = Microcert.open(device, Chip.restore(device, store, 1u, 2u), Config(), store)
        drain()
    }

    fun drain(): List<ByteArray> = buildList {
        while (true) when (val output = own.poll(cx())) {
            is Output.Datagram -> add(output.bytes)
            is Output.Happened -> events += output.event
            is Output.Persist -> error("there is a store")
            is Output.Idle -> { wakeAt = output.wakeAt; break }
        }
    }

    /** Carries datagrams to and fro until nobody has any. */
    fun talk() {
        val said = ArrayDeque(drain())
        while (true) {
            val datagram = said.removeFirstOrNull() ?: return
            wire += datagram
            if (loses()) continue
            for (reply in house.hear(name, datagram)) {
                wire += reply
                if (!loses()) own.handleInput(cx(), HOUSE, reply)
                said += drain()
            }
        }
    }

    fun authenticate(): List<Event> {
        events.clear()
        own.authenticate(cx(), HOUSE)
        talk()
        return events
    }

    fun connect(): List<Event> {
        events.clear()
        own.connect(cx(), HOUSE)
        talk()
        return events
    }

    /** Lets this many seconds pass. */
    fun wait(seconds: Int) = repeat(seconds) {
        house.pass(1)
        own.handleTimeout(cx())
        talk()
    }

    companion object {
        val HOUSE = "house".toByteArray()
    }
}
