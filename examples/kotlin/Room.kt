// What the examples share: stand-ins for a key store, for storage, for sockets and a clock.
package org.iotkm.example

import org.iotkm.*
import java.security.SecureRandom

/** Stands for Android Keystore: here the secret and the static keys live as long as the process. */
class ProcessVault : KeyVault {
    private val secret = ByteArray(32).also { SecureRandom().nextBytes(it) }
    val keys = mutableMapOf<UShort, StaticKey>()
    override fun deviceSecret() = secret.clone()
    override fun publicKey(key: UShort, curve: Curve) = keys[key]?.publicKey()
    override fun agree(key: UShort, curve: Curve, share: ByteArray) = keys[key]?.agree(share)
    override fun power(key: UShort, curve: Curve, element: ByteArray) = keys[key]?.power(element)
}

/** Stands for files or a database. */
class MemoryStore : BlobStore {
    private val slots = mutableMapOf<UShort, Stored>()
    override fun read(slot: UShort) = slots[slot]
    override fun write(slot: UShort, version: UInt, bytes: ByteArray) { slots[slot] = Stored(bytes, version) }
    override fun erase(slot: UShort) { slots.remove(slot) }
}

/** Stands for sockets and a clock: devices in one process, whose time passes when nothing else happens. */
class Room(private val log: (String) -> Unit) {
    /** What is polled, fed and woken: an association or a hub. */
    class Member(val poll: (Cx) -> Output, val input: (Cx, ByteArray, ByteArray) -> Received?, val timeout: (Cx) -> Unit) {
        val received = mutableListOf<String>()
        var wakeAt: ULong? = null
    }

    private val members = mutableMapOf<String, Member>()
    private val start = System.currentTimeMillis().toULong()
    private var now = 0UL
    var datagrams = 0

    val cx get() = Cx(now, start + now)
    val seconds get() = (start + now) / 1000UL

    fun enter(name: String, member: Member) = member.also { members[name] = it }

    /** Carries what there is to carry. */
    fun settle() {
        do {
            var said = false
            for ((name, member) in members) while (true) when (val output = member.poll(cx)) {
                is Output.Datagram -> { said = true; carry(name, output.to, output.bytes) }
                is Output.Happened -> log("$name: ${output.event}")
                is Output.Persist -> error("the store is given")
                is Output.Idle -> { member.wakeAt = output.wakeAt; break }
            }
        } while (said)
    }

    fun carry(from: String, to: ByteArray, bytes: ByteArray) {
        datagrams += 1
        val receiver = members.getValue(to.decodeToString())
        receiver.input(cx, from.toByteArray(), bytes)?.let {
            receiver.received.add(it.payload.decodeToString())
            log("${to.decodeToString()}: got \"${receiver.received.last()}\"")
        }
    }

    /** Lets time pass from one thing that is due to the next, until this is so, for this many seconds at most. */
    fun until(seconds: ULong = 600UL, done: () -> Boolean): Boolean {
        val end = now + seconds * 1000UL
        while (true) {
            settle()
            if (done()) return true
            val next = members.values.mapNotNull { it.wakeAt }.minOrNull()?.takeIf { it <= end } ?: break
            now = maxOf(now, next)
            members.values.filter { it.wakeAt?.let { at -> at <= now } == true }.forEach { it.timeout(cx) }
        }
        now = end
        return done()
    }
}
