package org.iotkm

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** Devices and their authentication centre. */
class MicrocertTest {
    private fun code(call: () -> Unit) = thrown<IotkmException>(call).code()
    private fun failed(reason: Reason) = Event.Failed(Stage.AUTHENTICATION, reason)
    private val data = "4.2 kWh".toByteArray()

    @Test
    fun `enrolment and authentication, in every suite, with a clock and without`() {
        for (suite in Suite.entries.filter { it.name.endsWith("SYMMETRIC") }) for (clockless in listOf(false, true)) {
            val house = House()
            val meter = Meter(house, "meter-7", suite, clockless)
            val info = meter.own.chip()
            assertEquals("meter-7 at house", "${info.id.decodeToString()} at ${info.centre.decodeToString()}")
            assertEquals(listOf(suite, clockless, Pending.NONE, true, false), info.run { listOf(suite, clockless, pending, confirmed, revoked) })
            assertEquals(2026 to 2030, info.firstYear.toInt() to info.lastYear.toInt())
            assertEquals(listOf<Event>(Event.Authenticated), meter.authenticate())
            assertEquals(if (clockless) listOf(CentreEvent.CHALLENGED, CentreEvent.AUTHENTICATED) else listOf(CentreEvent.AUTHENTICATED), house.events)
            if (suite == Suite.SUITE0_SYMMETRIC && !clockless) assertTrue(meter.wire.sumOf { it.size } <= 56, "${meter.wire.map { it.size }}")
            assertEquals((house.wall + house.now) / 1000UL * 1000UL, meter.own.time(meter.cx()))
            assertEquals(Standing.ENROLLED, house.row("meter-7").standing)
            assertEquals((house.wall + house.now) / 1000UL, house.row("meter-7").seen)
            assertEquals(0, house.centre.drops().size)
        }
    }

    @Test
    fun `a session, data both ways, and going on after a restart`() {
        val house = House()
        val meter = Meter(house, "meter")
        assertTrue(meter.connect().single().let { it is Event.Established && it.initiator })
        val session = house.sessions.values.single()
        assertEquals(meter.own.fingerprint(), session.fingerprint())
        assertEquals("meter", session.id().decodeToString())
        assertEquals(Authenticated.ENROLLED, meter.own.assurance()!!.authenticated)
        assertTrue(meter.own.exporter("x", byteArrayOf(), 32u).isSameAs(session.exporter("x", byteArrayOf(), 32u)))
        house.hear("meter", meter.own.send(meter.cx(), data).bytes)
        assertEquals(listOf("4.2 kWh"), house.received)
        val down = session.send(house.cx(), "thanks".toByteArray())
        assertEquals("thanks", meter.own.handleInput(meter.cx(), Meter.HOUSE, down.bytes)!!.payload.decodeToString())
        // The same again is dropped.
        assertNull(meter.own.handleInput(meter.cx(), Meter.HOUSE, down.bytes))
        assertEquals(mapOf("replayed" to 1.toUShort()), meter.own.drops())
        // The power fails at the meter, then at the centre.
        val blob = meter.own.export(meter.cx())
        meter.reboot()
        meter.own.restore(meter.cx(), blob)
        meter.talk()
        assertTrue(meter.events.any { it is Event.Resumed }, "${meter.events}")
        val (cid, kept) = house.sessions.entries.single().let { it.key to it.value.export(house.cx()) }
        val number = cid.trim('[', ']').split(", ").map { it.toByte() }.toByteArray()
        house.sessions[cid] = Served.atRest(house.device, "meter".toByteArray(), Suite.SUITE0_SYMMETRIC, Config(cid = number)).also { it.restore(house.cx(), kept) }
        val first = house.sessions.getValue(cid).poll(house.cx()) as Output.Datagram
        meter.own.handleInput(meter.cx(), Meter.HOUSE, first.bytes)
        meter.talk()
        house.hear("meter", meter.own.send(meter.cx(), "again".toByteArray()).bytes)
        assertEquals("again", house.received.last())
    }

    @Test
    fun `a session that was granted is opened once`() {
        // Twice, two messages would be sealed under one key and nonce.
        val house = House()
        val meter = Meter(house, "meter")
        meter.own.connect(meter.cx(), Meter.HOUSE)
        val granted = house.centre.handleInput(house.cx(), "meter".toByteArray(), meter.drain().single()).session!!
        assertEquals("meter", Served.open(house.device, granted, Config()).id().decodeToString())
        assertEquals(-3, thrown<IotkmException.WrongState> { Served.open(house.device, granted, Config()) }.code())
    }

    @Test
    fun `signatures verify at the centre, until the device is revoked`() {
        val house = House()
        val meter = Meter(house, "meter")
        fun sign(): ByteArray = try {
            meter.own.sign(meter.cx(), data)
        } catch (_: IotkmException.Undrained) {
            meter.drain() // a counter is reserved first
            meter.own.sign(meter.cx(), data)
        }
        val signature = sign()
        val signed = house.centre.verify(signature, data)!!
        assertEquals("meter at ${(house.wall + house.now) / 1000UL}", "${signed.id.decodeToString()} at ${signed.time}")
        assertEquals(signed.counter + 1u, house.centre.verify(sign(), data)!!.counter)
        assertNull(house.centre.verify(signature, "4.3 kWh".toByteArray()))
        for (at in signature.indices) {
            val changed = signature.clone().also { it[at] = (it[at] + 1).toByte() }
            assertNull(house.centre.verify(changed, data), "byte $at")
        }
        house.centre.revoke("meter".toByteArray())
        assertNull(house.centre.verify(signature, data))
        assertEquals(listOf<Event>(failed(Reason.REVOKED)), meter.authenticate())
        assertEquals(-17, code { meter.own.sign(meter.cx(), data) })
    }

    @Test
    fun `updates`() {
        val house = House()
        val meter = Meter(house, "meter")
        for (generation in 1u..3u) {
            val before = house.rows.rows.getValue("meter").seed
            house.centre.update("meter".toByteArray())
            assertTrue(house.row("meter").updating)
            assertEquals(
                listOf(Event.Authenticated, Event.UpdateAgreed(generation), Event.KeyReplaced(generation)), meter.authenticate())
            assertEquals(generation to generation, meter.own.chip().generation to house.row("meter").generation)
            assertFalse(before.contentEquals(house.rows.rows.getValue("meter").seed))
            assertEquals(CentreEvent.KEY_REPLACED, house.events.last())
            meter.reboot()
        }
    }

    @Test
    fun `revocation kills the seed, and stays`() {
        val house = House()
        val meter = Meter(house, "meter")
        meter.connect()
        house.centre.revoke("meter".toByteArray())
        assertEquals(Standing.REVOKED, house.row("meter").standing)
        assertEquals(listOf<Event>(failed(Reason.REVOKED)), meter.connect().filterNot { it is Event.Terminated })
        assertEquals(Standing.KILLED, house.row("meter").standing)
        assertFalse(meter.own.isEstablished())
        meter.reboot()
        assertTrue(meter.own.chip().revoked)
        assertEquals(listOf<Event>(failed(Reason.REVOKED)), meter.authenticate())
        assertEquals(-17, code { house.centre.update("meter".toByteArray()) })
    }

    @Test
    fun `wrong clocks get a challenge, replays and garbage nothing`() {
        val house = House()
        val meter = Meter(house, "meter")
        for (clock in listOf<Long?>(null, -86_400, 86_400)) {
            house.pass(400) // so that what the centre said last is no clock
            meter.clock = clock
            house.events.clear()
            assertEquals(listOf<Event>(Event.Authenticated), meter.authenticate(), "$clock")
            assertEquals(listOf(CentreEvent.CHALLENGED, CentreEvent.AUTHENTICATED), house.events)
        }
        val (recorded, count) = meter.wire.toList() to house.row("meter").counter
        house.pass(400)
        recorded.forEach { house.hear("mallory", it); house.hear("mallory", it.copyOf(it.size - 1)) }
        assertEquals(count, house.row("meter").counter)
        assertTrue(house.centre.drops().isNotEmpty())
        meter.clock = 0
        assertEquals(listOf<Event>(Event.Authenticated), meter.authenticate())
    }

    @Test
    fun `five years, then the seed has expired`() {
        val house = House()
        val meter = Meter(house, "meter")
        val year = 365 * 86_400L
        house.pass(4 * year)
        meter.authenticate()
        assertEquals(2030, meter.own.chip().firstYear.toInt())
        house.pass(year)
        assertEquals(-16, code { meter.own.connect(meter.cx(), Meter.HOUSE) })
        assertEquals(-16, code { meter.own.sign(meter.cx(), data) })
        meter.clock = -60 * 86_400L
        assertEquals(listOf<Event>(failed(Reason.SEED_EXPIRED)), meter.authenticate().filterNot { it == Event.Authenticated })
    }

    @Test
    fun `lost datagrams are sent again, and given up in the end`() {
        val house = House()
        val meter = Meter(house, "meter")
        for (lost in 0..1) {
            var left = 1
            var seen = 0
            meter.loses = { seen++ >= lost && left-- > 0 }
            meter.authenticate()
            meter.loses = { false }
            assertEquals(listOf<Event>(), meter.events)
            meter.wait(3)
            assertEquals(listOf<Event>(Event.Authenticated), meter.events)
        }
        meter.loses = { true }
        meter.authenticate()
        meter.wait(200)
        assertEquals(listOf<Event>(failed(Reason.NO_ANSWER)), meter.events)
    }

    /** Whatever write fails, or is the last before the power goes: the update is finished or undone. */
    @Test
    fun `power cuts at every write of an update`() {
        for (writes in 0..6) {
            val house = House()
            val meter = Meter(house, "meter")
            meter.authenticate()
            house.centre.update("meter".toByteArray())
            val until = meter.store.writes + writes
            meter.loses = { if (meter.store.writes >= until) meter.store.broken = "no power"; false }
            meter.authenticate()
            meter.store.broken = null
            meter.loses = { false }
            meter.reboot()
            repeat(3) { assertTrue(meter.authenticate().contains(Event.Authenticated), "after $writes writes: ${meter.events}") }
            assertEquals(1u to 1u, meter.own.chip().generation to house.row("meter").generation)
        }
    }

    @Test
    fun `a store that fails holds back what depends on it`() {
        val house = House()
        val meter = Meter(house, "meter")
        meter.store.broken = "flash worn out"
        assertEquals(listOf<Event>(Event.StoreFailed(2u, "flash worn out")), meter.authenticate())
        assertEquals(listOf<ByteArray>(), meter.wire)
        meter.store.broken = null
        meter.wait(10)
        assertEquals(Event.Authenticated, meter.events.last())
    }

    @Test
    fun `what is rolled back is refused where there are counters, else told`() {
        val house = House()
        val meter = Meter(house, "meter")
        meter.authenticate()
        val old = meter.store.slots.toMap()
        house.centre.update("meter".toByteArray())
        meter.authenticate()
        val new = meter.store.slots.toMap()
        fun stored(slot: Int) = Stored(old.getValue(slot.toUShort()).bytes, new.getValue(slot.toUShort()).floor)
        assertEquals(-10, code { Chip.fromBlobs(meter.device, 1u, new.getValue(1u), 2u, stored(2)) })
        assertEquals(-10, code { Chip.fromBlobs(meter.device, 1u, stored(1), 2u, new.getValue(2u)) })
        assertEquals(-9, code { Chip.fromBlobs(meter.device, 1u, old.getValue(1u), 2u, new.getValue(2u)) })
        assertEquals(-9, code { Chip.fromBlobs(Device(TestVault(1), null), 1u, new.getValue(1u), 2u, new.getValue(2u)) })
        meter.store.slots.putAll(old)
        meter.reboot()
        assertEquals(listOf<Event>(failed(Reason.PAIR_AGAIN)), meter.authenticate())
        // The database, likewise.
        val other = Meter(house, "other")
        other.authenticate()
        val rows = house.rows.rows
        house.centre.update("other".toByteArray())
        other.authenticate()
        house.rows.rows = rows
        assertEquals(listOf<Event>(failed(Reason.PAIR_AGAIN)), other.authenticate())
    }

    @Test
    fun `rows that were changed are found`() {
        val house = House()
        val meter = Meter(house, "meter")
        val row = house.rows.rows.getValue("meter")
        house.rows.rows = mapOf("meter" to SeedRow(row.state, row.seed.clone().also { it[100] = (it[100] + 1).toByte() }))
        assertEquals(listOf<Event>(), meter.authenticate())
        assertEquals(CentreEvent.TAMPERED, house.events.last())
        house.rows.rows = mapOf("meter" to SeedRow(row.state.copyOf(9), row.seed))
        assertTrue(thrown<IotkmException.SeedStore> { house.row("meter") }.reason.contains("no row"))
    }

    @Test
    fun `a database that fails answers nothing`() {
        val house = House()
        val meter = Meter(house, "meter")
        house.rows.broken = "disk full"
        meter.own.authenticate(meter.cx(), Meter.HOUSE)
        val datagram = meter.drain().single()
        val error = thrown<IotkmException.SeedStore> { house.hear("meter", datagram) }
        assertEquals(-18 to "disk full", error.code() to error.reason)
        assertTrue(error.toString().contains("disk full"), "$error")
        house.rows.broken = null
        meter.wait(2)
        assertEquals(Event.Authenticated, meter.events.last())
    }

    @Test
    fun `misuse is an error, and changes nothing`() {
        val house = House()
        val (centre, device) = house.centre to Device(TestVault(5), TestRandom(5UL))
        fun invite(name: String = "m", suite: Suite = Suite.SUITE0_SYMMETRIC, at: Cx = house.cx()) = centre.invite(at, name.toByteArray(), suite, false)
        assertEquals(-6, code { invite("") })
        assertEquals(-6, code { invite("x".repeat(17)) })
        assertEquals(-6, code { invite("house") })
        assertEquals(-6, code { invite(suite = Suite.SUITE0) })
        assertEquals(-6, code { invite(at = cx(1u, null)) })
        assertEquals(-6, code { AuthCenter.open(device, byteArrayOf(1), SoftKeys(SecretBytes(ByteArray(96))), house.rows, CentreSetup(shares = 0u)) })
        assertEquals(-6, code { SoftKeys(SecretBytes(ByteArray(95))) })
        assertEquals(-6, code { Chip.enrol(device, 1u, 2u, byteArrayOf(1, 2, 3)) })
        assertEquals(-6, code { Chip.enrol(device, 1u, 1u, invite()) })

        val chip = Chip.enrol(device, 1u, 2u, invite())
        assertFalse(chip.info().confirmed)
        assertEquals(-6, code { centre.enrol(house.cx(), byteArrayOf(1)) })
        assertEquals(-6, code { centre.enrol(house.cx(), chip.deposit().also { it[200] = (it[200] + 1).toByte() }) })
        assertNull(centre.device("m".toByteArray()))
        val enrolled = centre.enrol(house.cx(), chip.deposit())
        assertArrayEquals(enrolled.confirmation, centre.enrol(house.cx(), chip.deposit()).confirmation)
        assertEquals(-3, code { invite() }) // it has a row
        assertEquals(-6, code { chip.confirm(ByteArray(20)) })
        assertEquals(-6, code { chip.confirm(byteArrayOf()) })
        chip.confirm(enrolled.confirmation)
        assertEquals(-3, code { chip.confirm(enrolled.confirmation) })
        assertEquals(-3, code { chip.deposit() })
        val another = Chip.enrol(device, 1u, 2u, House().let { it.centre.invite(it.cx(), "m".toByteArray(), Suite.SUITE0_SYMMETRIC, false) })
        assertEquals(-3, code { centre.enrol(house.cx(), another.deposit()) }) // each invitation is used once

        assertEquals(-6, code { Microcert.open(device, chip, Config(mtu = 107u), null) })
        assertEquals(-108, code { Chip.restore(device, TestStore(), 1u, 2u) })
        val meter = Microcert.open(device, chip, Config(mtu = 108u), TestStore())
        assertTrue(thrown<IotkmException> { chip.info() } is IotkmException.WrongState)
        assertEquals(-3, code { chip.seal(device) })
        assertEquals("Chip(in use)", "$chip")
        assertEquals(-6, code { meter.connect(house.cx(), ByteArray(23)) })
        assertEquals(-2, code { meter.send(house.cx(), byteArrayOf(1)) })
        while (meter.poll(house.cx()) !is Output.Idle) Unit
        meter.connect(house.cx(), Meter.HOUSE)
        while (meter.poll(house.cx()) !is Output.Idle) Unit
        assertEquals(-3, code { meter.authenticate(house.cx(), Meter.HOUSE) })
        val back = meter.intoChip()
        assertEquals(-3, code { meter.chip() })
        assertEquals("m", back.info().id.decodeToString())
        for (id in listOf("nobody", "")) {
            assertEquals(-6, code { centre.update(id.toByteArray()) })
            assertEquals(-6, code { centre.revoke(id.toByteArray()) })
        }
        assertEquals(-6, code { Served.atRest(device, "m".toByteArray(), Suite.SUITE2, Config()) })
    }

    @Test
    fun `without a store the application stores by itself`() {
        val house = House()
        val device = Device(TestVault(5), null)
        val chip = Chip.enrol(device, 1u, 2u, house.centre.invite(house.cx(), "m".toByteArray(), Suite.SUITE0_SYMMETRIC, false))
        val slots = mutableMapOf<UShort, Stored>()
        while (chip.needsStore()) {
            val part = chip.seal(device)
            slots[part.slot] = Stored(part.bytes, part.version)
            chip.persisted()
        }
        assertEquals(listOf(1005, true), listOf(slots.getValue(1u).bytes.size, slots.getValue(2u).bytes.size < 200))
        assertEquals(-3, code { chip.seal(device) })
        house.centre.enrol(house.cx(), chip.deposit())
        val meter = Microcert.open(device, Chip.fromBlobs(device, 1u, slots.getValue(1u), 2u, slots.getValue(2u)), Config(), null)
        meter.authenticate(house.cx(), Meter.HOUSE)
        val persist = meter.poll(house.cx()) as Output.Persist
        assertEquals(2.toUShort(), persist.slot)
        assertTrue(meter.poll(house.cx()) is Output.Idle)
        meter.persisted(persist.slot, true)
        val datagram = meter.poll(house.cx()) as Output.Datagram
        assertArrayEquals(Meter.HOUSE, datagram.to)
        meter.handleInput(house.cx(), Meter.HOUSE, house.hear("m", datagram.bytes).single())
        // That it is confirmed is stored before it is said.
        val erased = meter.poll(house.cx()) as Output.Persist
        assertTrue(meter.poll(house.cx()) is Output.Idle)
        meter.persisted(erased.slot, true)
        assertEquals(Output.Happened(Event.Authenticated), meter.poll(house.cx()))
        assertTrue(meter.chip().confirmed, "the first authentication says as much")
    }

    @Test
    fun `a hub serves a device towards its centre, too`() {
        val house = House()
        val meter = Meter(house, "meter")
        val hub = Hub.open(meter.device, meter.cx(), 4u, 4u, meter.store)
        hub.insert(Association.Microcert(meter.own))
        meter.own.connect(meter.cx(), Meter.HOUSE)
        val events = mutableListOf<Event>()
        while (true) when (val output = hub.poll(meter.cx()).output) {
            is Output.Datagram -> house.hear("meter", output.bytes).forEach { hub.handleInput(meter.cx(), Meter.HOUSE, it) }
            is Output.Happened -> events += output.event
            is Output.Idle -> break
            is Output.Persist -> error("there is a store")
        }
        assertTrue(events.single() is Event.Established, "$events")
        val down = house.sessions.values.single().send(house.cx(), "hello".toByteArray())
        assertEquals("hello", hub.handleInput(meter.cx(), Meter.HOUSE, down.bytes)!!.received.payload.decodeToString())
    }

    @Test
    fun `no secret in any text`() {
        val house = House()
        val invitation = house.centre.invite(house.cx(), "m".toByteArray(), Suite.SUITE0_SYMMETRIC, false)
        val chip = Chip.enrol(house.device, 1u, 2u, invitation)
        val keys = SoftKeys(SecretBytes(ByteArray(96) { 1 }))
        assertEquals("SoftKeys(..)", "$keys")
        val (transport, text) = invitation.takeLast(16) to listOf("$chip", "${chip.info()}", "${house.centre}", "${Meter(house, "meter").own}")
        for (said in text) {
            val hex = transport.joinToString("") { "%02x".format(it) }
            assertFalse(said.contains(hex) || said.contains(transport.joinToString(", ")), said)
        }
        assertTrue(text[0].contains("generation"), text[0])
        assertNotEquals("Chip(in use)", text[0])
    }
}
