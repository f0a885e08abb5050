// Two devices in one process, for the tests: a network that loses nothing, a clock that stands still.
package org.iotkm

const val HERE = "bench 4"

fun cx(now: ULong, wall: ULong? = 1_750_000_000_000UL + now) = Cx(now, wall, HERE.toByteArray())

/** A vault with nothing but a secret. */
class SecretVault(private val secret: () -> ByteArray) : KeyVault {
    override fun deviceSecret() = secret()
    override fun publicKey(key: UShort, curve: Curve): ByteArray? = null
    override fun agree(key: UShort, curve: Curve, share: ByteArray): ByteArray? = null
}

/** A vault with a fixed secret, which can be locked, and static keys. */
class TestVault(private val fill: Int) : KeyVault {
    var locked = false
    var asked = 0
    var slow = 0
    val keys = mutableMapOf<UShort, StaticKey>()
    private fun key(number: UShort, curve: Curve): StaticKey? {
        if (locked) throw CallbackException.Failed("the screen is locked")
        if (slow > 0) { slow -= 1; throw CallbackException.Pending() }
        return keys[number]?.takeIf { it.curve() == curve }
    }
    override fun publicKey(key: UShort, curve: Curve) = key(key, curve)?.publicKey()
    override fun agree(key: UShort, curve: Curve, share: ByteArray) = key(key, curve)?.agree(share)
    override fun deviceSecret(): ByteArray {
        asked += 1
        if (locked) throw CallbackException.Failed("the screen is locked")
        return ByteArray(32) { fill.toByte() }
    }
}

/** A store in memory, which can be broken. */
class TestStore : BlobStore {
    val slots = mutableMapOf<UShort, Stored>()
    var broken: String? = null
    var writes = 0
    override fun read(slot: UShort): Stored? {
        broken?.let { throw CallbackException.Failed(it) }
        return slots[slot]
    }
    override fun write(slot: UShort, version: UInt, bytes: ByteArray) {
        broken?.let { throw CallbackException.Failed(it) }
        writes += 1
        slots[slot] = Stored(bytes, version)
    }
    override fun erase(slot: UShort) {
        broken?.let { throw CallbackException.Failed(it) }
        slots.remove(slot)
    }
}

/** Repeatable randomness; never for use. */
class TestRandom(private var state: ULong) : RandomSource {
    var broken = false
    var drawn = 0
    var hook: (() -> Unit)? = null
    override fun random(length: UInt): ByteArray {
        hook?.invoke()
        if (broken) throw CallbackException.Failed("the generator is too cold")
        drawn += length.toInt()
        return ByteArray(length.toInt()) {
            state = state * 6364136223846793005UL + 1442695040888963407UL
            (state shr 56).toByte()
        }
    }
}

/** One side: its association and what happened to it. */
class Side(val address: ByteArray, seed: Int, val random: TestRandom? = TestRandom(seed.toULong())) {
    val vault = TestVault(seed)
    val device = Device(vault, random)
    val store = TestStore()
    lateinit var history: History
    val events = mutableListOf<Event>()
    val received = mutableListOf<Received>()
    var wakeAt: ULong? = null

    fun text() = received.map { it.payload.decodeToString() }

    fun open(peer: Peer, suite: Suite = Suite.SUITE0, config: Config = Config()) {
        history = History.open(device, peer, suite, config, store)
    }
}

fun key(fill: Int) = SecretBytes(ByteArray(32) { fill.toByte() })

fun provisioned(me: String, peer: String, suite: Suite = Suite.SUITE0) =
    Peer.provisioned(1u, me.toByteArray(), peer.toByteArray(), suite, key(1), key(2), key(3))

/** Both sides and the air between them. */
class Lab(suite: Suite = Suite.SUITE0, config: Config = Config(), open: Boolean = true) {
    val a = Side("a".toByteArray(), 11)
    val b = Side("b".toByteArray(), 22)
    var now = 1_000UL
    val wire = mutableListOf<ByteArray>()

    init {
        if (open) {
            a.open(provisioned("aaaa", "bbbb", suite), suite, config)
            b.open(provisioned("bbbb", "aaaa", suite), suite, config)
        }
    }

    fun other(side: Side) = if (side === a) b else a

    fun drain(side: Side): List<ByteArray> {
        val datagrams = mutableListOf<ByteArray>()
        while (true) {
            when (val output = side.history.poll(cx(now))) {
                is Output.Datagram -> datagrams.add(output.bytes)
                is Output.Happened -> side.events.add(output.event)
                is Output.Persist -> error("there is a store")
                is Output.Idle -> { side.wakeAt = output.wakeAt; return datagrams }
            }
        }
    }

    fun deliver(to: Side, datagram: ByteArray) {
        wire.add(datagram)
        to.history.handleInput(cx(now), other(to).address, datagram)?.let { to.received.add(it) }
    }

    /** Carries datagrams to and fro until nobody has any. */
    fun settle() {
        do {
            val said = listOf(a, b).flatMap { side -> drain(side).map { side to it } }
            said.forEach { (side, datagram) -> deliver(other(side), datagram); drain(other(side)).forEach { deliver(side, it) } }
        } while (said.isNotEmpty())
    }

    fun connect() {
        a.history.connect(cx(now), b.address)
        settle()
    }

    fun say(from: Side, text: String) {
        val sent = from.history.send(cx(now), text.toByteArray())
        check(sent.to.contentEquals(other(from).address))
        deliver(other(from), sent.bytes)
        settle()
    }
}

inline fun <reified E : Throwable> thrown(call: () -> Unit): E =
    try {
        call()
        null
    } catch (e: Throwable) {
        e as? E ?: throw e
    } ?: throw AssertionError("nothing was thrown")
