package org.iotkm

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class HubTest {
    private val here = Side("hub".toByteArray(), 1)
    private val got = mutableMapOf<UInt, String>()

    private fun settle(hub: Hub, devices: List<Side>) {
        do {
            var said = false
            for (device in devices) {
                while (true) {
                    val output = device.talks.poll(cx(1u))
                    if (output is Output.Idle) break
                    if (output is Output.Datagram) {
                        said = true
                        hub.handleInput(cx(1u), device.address, output.bytes)?.let { got[it.place] = it.received.payload.decodeToString() }
                    }
                }
            }
            while (true) {
                val output = hub.poll(cx(1u)).output
                if (output is Output.Idle) break
                if (output is Output.Datagram) {
                    said = true
                    devices.first { it.address.contentEquals(output.to) }.talks.handleInput(cx(1u), here.address, output.bytes)
                }
            }
        } while (said)
    }

    @Test
    fun `a hub serves many on one socket, of all schemes`() {
        val hub = Hub.open(here.device, cx(0u), 6u, 64u, here.store)
        here.vault.keys[1u] = StaticKey.generate(here.device, Curve.X25519)
        here.wallet = Wallet("hub", Acme.agent)
        here.wallet.install(Acme.ticket("hub", here.vault.keys[1u]!!, 100u), null)
        val devices = (0 until 6).map { n -> Side("lamp$n".toByteArray(), 40 + n) }
        val theirs = devices.mapIndexed { n, lamp ->
            if (n < 3) {
                fun peer(slot: Int, me: String, other: String) = Peer.provisioned(
                    slot.toUShort(), me.toByteArray(), other.toByteArray(), Suite.SUITE0, key(n), key(n + 50), key(n + 100))
                lamp.open(peer(1, "lamp$n", "hub"))
                here.open(peer(10 + n, "hub", "lamp$n"))
                assertEquals(n.toUInt(), hub.insert(Association.History(here.history)))
            } else {
                lamp.vault.keys[1u] = StaticKey.generate(lamp.device, Curve.X25519)
                lamp.wallet = Wallet("lamp$n", Acme.agent)
                lamp.wallet.install(Acme.ticket("lamp$n", lamp.vault.keys[1u]!!, n.toUInt()), null)
                lamp.open(TicketPeer.named(1u, "lamp$n", "hub"))
                here.open(TicketPeer.named((10 + n).toUShort(), "hub", "lamp$n"))
                hub.insertAt(n.toUInt(), Association.Interactive(here.interactive))
                assertTrue(thrown<IotkmException> { hub.insert(Association.Interactive(here.interactive)) } is IotkmException.WrongState)
            }
            here.talks
        }
        // Input, time and outputs are the hub's.
        assertTrue(thrown<IotkmException> { theirs[0].poll(cx(1u)) } is IotkmException.WrongState)
        assertTrue(thrown<IotkmException> { theirs[4].handleTimeout(cx(1u)) } is IotkmException.WrongState)
        assertTrue(thrown<IotkmException> { here.interactive.intoPeer() } is IotkmException.WrongState)
        here.open(provisioned("hub", "x"))
        assertEquals(-14, thrown<IotkmException> { hub.insert(Association.History(here.history)) }.code())
        assertFalse(here.history.isEstablished())
        val stranger = Side("x".toByteArray(), 9).also { it.open(provisioned("x", "hub")) }
        assertTrue(thrown<IotkmException> { hub.insert(Association.History(stranger.history)) } is IotkmException.BadArgument)
        assertTrue(thrown<IotkmException> { hub.remove(Association.History(stranger.history)) } is IotkmException.WrongState)

        devices.forEachIndexed { n, lamp -> if (n % 2 == 0) lamp.talks.connect(cx(1u), here.address) else theirs[n].connect(cx(1u), lamp.address) }
        settle(hub, devices)
        for ((n, lamp) in devices.withIndex()) {
            assertTrue(theirs[n].isEstablished(), "$n: ${hub.drops()}")
            assertTrue(theirs[n].exporter("x", byteArrayOf(), 32u).isSameAs(lamp.talks.exporter("x", byteArrayOf(), 32u)))
            val sent = lamp.talks.send(cx(1u), "I am $n".toByteArray())
            hub.handleInput(cx(1u), lamp.address, sent.bytes)?.let { got[it.place] = it.received.payload.decodeToString() }
            val back = theirs[n].send(cx(1u), "hello".toByteArray())
            assertEquals("hello", lamp.talks.handleInput(cx(1u), here.address, back.bytes)!!.payload.decodeToString())
            settle(hub, devices)
        }
        assertEquals((0u until 6u).associateWith { "I am $it" }, got)
    }

    @Test
    fun `an association leaves a hub and goes on by itself`() {
        val lab = Lab()
        val hub = Hub.open(lab.a.device, cx(0u), 1u, 64u, null)
        hub.insert(Association.History(lab.a.history))
        hub.remove(Association.History(lab.a.history))
        lab.connect()
        // At the place that it had it may join again; where its peer knows another connection id, not.
        hub.insert(Association.History(lab.a.history))
        assertTrue(lab.a.history.isEstablished())
        hub.remove(Association.History(lab.a.history))
        lab.say(lab.a, "on my own")
        lab.say(lab.b, "so I hear")
        assertEquals(listOf("on my own"), lab.b.text())
        assertEquals(listOf("so I hear"), lab.a.text())
        val other = Lab().apply { connect() }
        val late = Hub.open(other.a.device, cx(0u), 1u, 64u, null)
        assertTrue(thrown<IotkmException> { late.insert(Association.History(other.a.history)) } is IotkmException.WrongState)
        assertTrue(other.a.history.isEstablished())
        assertEquals("Hub(1 places)", "$hub")
    }
}
