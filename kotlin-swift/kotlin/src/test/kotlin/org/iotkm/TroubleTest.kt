package org.iotkm

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit

/** What goes wrong, and what is said of it. */
class TroubleTest {
    @Test
    fun `errors have the core's numbers and say how to mend it`() {
        val lab = Lab()
        val history = lab.a.history
        val early = thrown<IotkmException.NotEstablished> { history.send(cx(1u), byteArrayOf(1)) }
        assertEquals(-2, early.code())
        assertTrue(early.toString().contains("connect"), "$early")
        assertEquals(-2, thrown<IotkmException> { history.update(cx(1u)) }.code())
        assertEquals(-2, thrown<IotkmException> { history.export(cx(1u)) }.code())
        assertEquals(-6, thrown<IotkmException> { history.connect(cx(1u), ByteArray(23)) }.code())
        lab.connect()
        val long = thrown<IotkmException.TooLong> { history.send(cx(lab.now), ByteArray(5000)) }
        assertEquals(-5, long.code())
        assertTrue(long.max in 1000u..1200u, "${long.max}")
        lab.say(lab.a, "x".repeat(long.max.toInt()))
        assertEquals(-12, thrown<IotkmException> { history.update(cx(lab.now)) }.code())
        assertEquals(-9, thrown<IotkmException> { Peer.fromBlob(lab.a.device, 1u, 0u, ByteArray(60)) }.code())
        assertEquals(-108, thrown<IotkmException> { Peer.restore(lab.a.device, TestStore(), 7u) }.code())
        assertEquals(-6, thrown<IotkmException> { provisioned("same", "same") }.code())
        assertEquals(-6, thrown<IotkmException> { History.open(lab.a.device, provisioned("a", "b"), Suite.SUITE0, Config(mtu = 5u), null) }.code())
        assertEquals(-6, thrown<IotkmException> { provisioned("a", "b").setPsk(SecretBytes(ByteArray(5))) }.code())
    }

    @Test
    fun `another device's blob does not open, an old one is refused`() {
        val lab = Lab()
        val peer = provisioned("aaaa", "bbbb")
        val old = peer.seal(lab.a.device)
        val new = peer.seal(lab.a.device)
        assertTrue(new.version > old.version)
        assertEquals(-9, thrown<IotkmException> { Peer.fromBlob(lab.b.device, 1u, 0u, new.bytes) }.code())
        assertEquals(-10, thrown<IotkmException> { Peer.fromBlob(lab.a.device, 1u, new.version, old.bytes) }.code())
        assertEquals("bbbb", Peer.fromBlob(lab.a.device, 1u, new.version, new.bytes).info().id.decodeToString())
    }

    @Test
    fun `a callback that calls back gets Busy`() {
        val lab = Lab()
        var busy: Throwable? = null
        lab.a.random!!.hook = { busy = runCatching { lab.a.history.isEstablished() }.exceptionOrNull() }
        lab.connect()
        assertTrue(busy is IotkmException.Busy, "$busy")
        assertEquals(-106, (busy as IotkmException).code())
        // The call that was under way went on.
        assertTrue(lab.a.history.isEstablished())
        // Thrown through, it ends as the callback's failure.
        lab.b.random!!.hook = { lab.b.history.drops() }
        lab.b.history.wipe()
        lab.drain(lab.b)
        val error = thrown<IotkmException.Rng> { lab.b.history.connect(cx(lab.now), lab.a.address) }
        assertTrue(error.reason.contains("Busy"), error.reason)
        assertTrue(thrown<IotkmException> { Device(SecretVault { throw IllegalStateException("no such alias") }, null).let { Peer.fromBlob(it, 1u, 0u, ByteArray(80)) } }.let { it is IotkmException.Vault && it.reason.contains("no such alias") })
    }

    @Test
    fun `other threads wait their turn`() {
        val lab = Lab()
        val inside = CountDownLatch(1)
        lab.a.random!!.hook = { inside.countDown(); Thread.sleep(300) }
        val pool = Executors.newFixedThreadPool(2)
        val connect = pool.submit { lab.a.history.connect(cx(lab.now), lab.b.address) }
        inside.await()
        val other = pool.submit<Boolean> { lab.a.history.isEstablished() }
        assertFalse(other.get(5, TimeUnit.SECONDS))
        connect.get(5, TimeUnit.SECONDS)
        pool.shutdown()
    }

    @Test
    fun `a store that fails holds back what depends on it`() {
        val lab = Lab()
        lab.a.store.broken = "disk full"
        lab.a.history.connect(cx(lab.now), lab.b.address)
        assertTrue(lab.drain(lab.a).isEmpty())
        assertEquals(listOf<Event>(Event.StoreFailed(1u, "disk full")), lab.a.events)
        val wake = lab.a.wakeAt!!
        assertTrue(wake > lab.now)
        lab.now = wake
        lab.a.history.handleTimeout(cx(lab.now))
        assertTrue(lab.drain(lab.a).isEmpty())
        lab.a.store.broken = null
        lab.now = lab.a.wakeAt!!
        lab.a.history.handleTimeout(cx(lab.now))
        lab.settle()
        assertTrue(lab.a.history.isEstablished())
        assertEquals(1, lab.a.store.writes)
        lab.a.store.broken = "gone"
        val error = thrown<IotkmException.Store> { Peer.restore(lab.a.device, lab.a.store, 1u) }
        assertEquals("gone", error.reason)
        assertEquals(-104, error.code())
    }

    @Test
    fun `without a store the application stores by itself`() {
        val lab = Lab(open = false)
        val history = History.open(lab.a.device, provisioned("aaaa", "bbbb"), Suite.SUITE0, Config(), null)
        history.connect(cx(1u), lab.b.address)
        val persist = history.poll(cx(1u)) as Output.Persist
        assertEquals(1.toUShort(), persist.slot)
        assertTrue(history.poll(cx(1u)) is Output.Idle)
        history.persisted(persist.slot, true)
        assertTrue(history.poll(cx(1u)) is Output.Datagram)
        assertEquals("bbbb", Peer.fromBlob(lab.a.device, 1u, persist.version, persist.bytes).info().id.decodeToString())
    }

    @Test
    fun `a vault that fails fails the call and changes nothing`() {
        val lab = Lab()
        lab.a.vault.locked = true
        val error = thrown<IotkmException.Vault> { lab.a.history.connect(cx(lab.now), lab.b.address) }
        assertEquals("the screen is locked", error.reason)
        assertEquals(-111, error.code())
        lab.a.vault.locked = false
        lab.connect()
        assertTrue(lab.a.history.isEstablished())
        // Asked once, then again after lock.
        val asked = lab.a.vault.asked
        lab.say(lab.a, "x")
        assertEquals(asked, lab.a.vault.asked)
        lab.a.device.lock()
        lab.a.vault.locked = true
        assertTrue(thrown<IotkmException> { lab.a.history.send(cx(lab.now), byteArrayOf(1)) } is IotkmException.Vault)
        val short = Device(SecretVault { ByteArray(16) }, null)
        assertTrue(thrown<IotkmException> { provisioned("a", "b").seal(short) } is IotkmException.Vault)
    }

    @Test
    fun `given randomness is used as it comes, and may fail`() {
        fun record(): List<ByteArray> = Lab().also { it.connect(); it.say(it.a, "same") }.wire
        val (first, second) = record() to record()
        assertEquals(first.size, second.size)
        first.zip(second).forEach { (x, y) -> assertArrayEquals(x, y) }
        val lab = Lab()
        lab.a.random!!.broken = true
        val error = thrown<IotkmException.Rng> { lab.a.history.connect(cx(lab.now), lab.b.address) }
        assertEquals(-7, error.code())
        assertEquals("the generator is too cold", error.reason)
        lab.a.random.broken = false
        lab.connect()
        assertTrue(lab.a.history.isEstablished())
    }

    @Test
    fun `the system's randomness is there by default`() {
        fun first(): ByteArray {
            val device = Device(TestVault(1), null)
            val history = History.open(device, provisioned("aaaa", "bbbb"), Suite.SUITE0, Config(), TestStore())
            history.connect(cx(1u), byteArrayOf(1))
            return (history.poll(cx(1u)) as Output.Datagram).bytes
        }
        assertFalse(first().contentEquals(first()))
    }

    @Test
    fun `no secret in any text`() {
        val lab = Lab()
        lab.connect()
        lab.say(lab.a, "x")
        val exported = lab.a.history.exporter("e", byteArrayOf(), 32u)
        val objects = listOf(exported, lab.a.history, lab.a.device, provisioned("aaaa", "bbbb"), lab.a.history.peer(),
            lab.a.history.assurance(), lab.a.events)
        val texts = objects.map { it.toString() }
        val secrets = listOf(exported.expose(), ByteArray(32) { 11 }, ByteArray(32) { 1 }, ByteArray(32) { 2 })
        for (text in texts) {
            for (secret in secrets) {
                val hex = secret.joinToString("") { "%02x".format(it) }.take(16)
                assertFalse(text.replace(" ", "").contains(hex) || text.contains(secret.take(8).joinToString(", ")), text)
            }
        }
        assertEquals("SecretBytes(..)", exported.toString())
        assertEquals("Device(..)", lab.a.device.toString())
        assertTrue(lab.a.history.toString().contains(lab.a.history.fingerprint()!!), texts[1])
        exported.wipe()
        assertEquals(0, exported.expose().size)
    }
}
