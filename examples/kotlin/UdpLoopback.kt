// Two devices of one user talk over UDP on the loopback interface: exchange, data both ways, a key update.
//
//     mvn -q -f kotlin-swift/kotlin test-compile exec:java
//
// What a real application does otherwise: the vault is the platform's key store, the store is files or a database, and the peer
// comes out of a pairing that is done once.
package org.iotkm.example

import org.iotkm.*
import java.net.DatagramPacket
import java.net.DatagramSocket
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.SocketTimeoutException
import java.nio.ByteBuffer
import java.security.SecureRandom

/** An association and its socket. The core does no I/O and has no clock: this class is all that drives it. */
class UdpNode(private val name: String, peer: Peer, device: Device, store: BlobStore, private val log: (String) -> Unit) :
    AutoCloseable {
    private val socket = DatagramSocket(0, InetAddress.getLoopbackAddress())
    val address: ByteArray get() = bytes(InetSocketAddress(socket.localAddress, socket.localPort))
    val history = History.open(device, peer, Suite.SUITE0, Config(), store)
    val received = mutableListOf<String>()
    private var wakeAt: ULong? = null

    fun cx() = Cx((System.nanoTime() / 1_000_000).toULong(), System.currentTimeMillis().toULong(), "loopback".toByteArray())

    /** Sends, stores and reports what the association has to say. */
    fun drain() {
        while (true) {
            when (val output = history.poll(cx())) {
                is Output.Datagram -> send(output.to, output.bytes)
                is Output.Happened -> log("$name: ${output.event}")
                is Output.Persist -> error("the store is given")
                is Output.Idle -> { wakeAt = output.wakeAt; return }
            }
        }
    }

    fun say(text: String) {
        val sent = history.send(cx(), text.toByteArray())
        send(sent.to, sent.bytes)
        drain()
    }

    /** Waits a little for one datagram, then does what is due. */
    fun step() {
        val packet = DatagramPacket(ByteArray(2048), 2048)
        socket.soTimeout = 5
        try {
            socket.receive(packet)
            val from = bytes(packet.socketAddress as InetSocketAddress)
            history.handleInput(cx(), from, packet.data.copyOf(packet.length))?.let {
                received.add(it.payload.decodeToString())
                log("$name: got \"${received.last()}\"")
            }
            drain()
        } catch (_: SocketTimeoutException) {
        }
        if (wakeAt?.let { it <= cx().now } == true) {
            history.handleTimeout(cx())
            drain()
        }
    }

    private fun send(to: ByteArray, bytes: ByteArray) = socket.send(DatagramPacket(bytes, bytes.size, address(to)))

    override fun close() {
        socket.close()
        history.close()
    }

    // An address is up to 22 bytes that only the application understands.
    private fun bytes(at: InetSocketAddress) = at.address.address + ByteBuffer.allocate(2).putShort(at.port.toShort()).array()
    private fun address(bytes: ByteArray): InetSocketAddress {
        val port = ByteBuffer.wrap(bytes, bytes.size - 2, 2).short.toInt() and 0xffff
        return InetSocketAddress(InetAddress.getByAddress(bytes.copyOf(bytes.size - 2)), port)
    }
}

/** Runs the example; whether all went well. */
fun udpLoopback(log: (String) -> Unit): Boolean {
    // A factory's way: both devices get three random keys. At home, pairing makes them from the user's secret.
    val random = SecureRandom()
    val keys = List(3) { SecretBytes(ByteArray(32).also(random::nextBytes)) }
    fun node(me: String, peer: String): UdpNode {
        val device = Device(ProcessVault(), null)
        val store = MemoryStore()
        Peer.provisioned(1u, me.toByteArray(), peer.toByteArray(), Suite.SUITE0, keys[0], keys[1], keys[2]).save(device, store)
        return UdpNode(me, Peer.restore(device, store, 1u), device, store, log)
    }
    return node("hub", "lamp").use { hub ->
        node("lamp", "hub").use { lamp ->
            val nodes = listOf(hub, lamp)
            fun until(what: String, done: () -> Boolean): Boolean {
                val end = System.nanoTime() + 10_000_000_000
                while (!done() && System.nanoTime() < end) nodes.forEach { it.step() }
                if (!done()) log("failed: $what")
                return done()
            }
            hub.history.connect(hub.cx(), lamp.address)
            hub.drain()
            until("exchange") { nodes.all { it.history.isEstablished() } } &&
                run { hub.say("light on"); lamp.say("it is on, 4.2 W"); true } &&
                until("data") { nodes.all { it.received.isNotEmpty() } } &&
                run { hub.history.update(hub.cx()); hub.drain(); true } &&
                until("update") { nodes.all { it.history.peer().generation == 1u && it.history.isEstablished() } } &&
                run { hub.say("light off"); true } &&
                until("data under the new key") { lamp.received.size == 2 } &&
                hub.history.fingerprint() == lamp.history.fingerprint()
        }
    }
}

fun main() {
    val ok = udpLoopback(::println)
    println(if (ok) "udp-loopback: ok" else "udp-loopback: failed")
    if (!ok) System.exit(1)
}
