// Two devices in one process, for the tests: a network that loses nothing, a clock that stands still.
package org.iotkm

const val HERE = "bench 4"

const val WALL = 1_750_000_000_000UL

fun cx(now: ULong, wall: ULong? = WALL + now) = Cx(now, wall, HERE.toByteArray())

/** A vault with nothing but a secret. */
class SecretVault(private val secret: () -> ByteArray) : KeyVault {
    override fun deviceSecret() = secret()
    override fun publicKey(key: UShort, curve: Curve): ByteArray? = null
    override fun agree(key: UShort, curve: Curve, share: ByteArray): ByteArray? = null
    override fun power(key: UShort, curve: Curve, element: ByteArray): ByteArray? = null
}

/** A vault with a fixed secret, which can be locked, and static keys. */
class TestVault(private val fill: Int) : KeyVault {
    var locked = false
    var asked = 0
    var slow = 0
    /** How often `agree` was asked. */
    var agreed = 0
    val keys = mutableMapOf<UShort, StaticKey>()
    private fun key(number: UShort, curve: Curve): StaticKey? {
        if (locked) throw CallbackException.Failed("the screen is locked")
        if (slow > 0) { slow -= 1; throw CallbackException.Pending() }
        return keys[number]?.takeIf { it.curve() == curve }
    }
    override fun publicKey(key: UShort, curve: Curve) = key(key, curve)?.publicKey()
    override fun agree(key: UShort, curve: Curve, share: ByteArray) = key(key, curve)?.agree(share).also { agreed += 1 }
    override fun power(key: UShort, curve: Curve, element: ByteArray) = key(key, curve)?.power(element)
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

/** The verbs that associations of all schemes have. */
class Talks(
    val connect: (Cx, ByteArray) -> Unit,
    val send: (Cx, ByteArray) -> Sent,
    val handleInput: (Cx, ByteArray, ByteArray) -> Received?,
    val handleTimeout: (Cx) -> Unit,
    val poll: (Cx) -> Output,
    val persisted: (UShort, Boolean) -> Unit,
    val export: (Cx) -> ByteArray,
    val restore: (Cx, ByteArray) -> Unit,
    val exporter: (String, ByteArray, UInt) -> SecretBytes,
    val isEstablished: () -> Boolean,
) {
    constructor(a: History) : this(
        a::connect, a::send, a::handleInput, a::handleTimeout, a::poll, a::persisted, a::export, a::restore, a::exporter, a::isEstablished)
    constructor(a: Interactive) : this(
        a::connect, a::send, a::handleInput, a::handleTimeout, a::poll, a::persisted, a::export, a::restore, a::exporter, a::isEstablished)
    constructor(a: Noninteractive) : this(
        a::connect, a::send, a::handleInput, a::handleTimeout, a::poll, a::persisted, a::export, a::restore, a::exporter, a::isEstablished)
    constructor(a: Microcert) : this(
        a::connect, a::send, a::handleInput, a::handleTimeout, a::poll, a::persisted, a::export, a::restore, a::exporter, a::isEstablished)
    constructor(a: Served) : this(
        { _, _ -> error("a device connects") }, a::send, a::handleInput, a::handleTimeout, a::poll, a::persisted, a::export, a::restore, a::exporter, a::isEstablished)
}

/** One side: its association and what happened to it. */
class Side(val address: ByteArray, seed: Int, val random: TestRandom? = TestRandom(seed.toULong())) {
    val vault = TestVault(seed)
    val device = Device(vault, random)
    val store = TestStore()
    lateinit var talks: Talks
    lateinit var history: History
    lateinit var interactive: Interactive
    lateinit var wallet: Wallet
    lateinit var noninteractive: Noninteractive
    lateinit var holder: Holder
    val events = mutableListOf<Event>()
    val received = mutableListOf<Received>()
    var wakeAt: ULong? = null

    fun text() = received.map { it.payload.decodeToString() }

    fun open(peer: Peer, suite: Suite = Suite.SUITE0, config: Config = Config()) {
        history = History.open(device, peer, suite, config, store)
        talks = Talks(history)
    }

    fun open(peer: TicketPeer, suites: List<Suite> = listOf(Suite.SUITE0), life: UInt = 0u) {
        interactive = Interactive.open(device, peer, wallet, TicketSetup(suites, 1u, life = life), Config(), store)
        talks = Talks(interactive)
    }

    fun open(peer: CredentialPeer, setup: CredentialSetup = CredentialSetup(60u, 10u, key = 1u)) {
        noninteractive = Noninteractive.open(device, peer, holder, setup, Config(), store)
        talks = Talks(noninteractive)
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
    var clock = true
    /** What becomes of each datagram on its way; none is lost at first. */
    var loses: () -> Boolean = { false }

    fun cx() = cx(now, if (clock) WALL + now else null)

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
            when (val output = side.talks.poll(cx())) {
                is Output.Datagram -> datagrams.add(output.bytes)
                is Output.Happened -> side.events.add(output.event)
                is Output.Persist -> error("there is a store")
                is Output.Idle -> { side.wakeAt = output.wakeAt; return datagrams }
            }
        }
    }

    fun deliver(to: Side, datagram: ByteArray) {
        wire.add(datagram)
        if (loses()) return
        to.talks.handleInput(cx(), other(to).address, datagram)?.let { to.received.add(it) }
    }

    /** Carries datagrams to and fro until nobody has any. */
    fun settle() {
        do {
            val said = listOf(a, b).flatMap { side -> drain(side).map { side to it } }
            said.forEach { (side, datagram) -> deliver(other(side), datagram); drain(other(side)).forEach { deliver(side, it) } }
        } while (said.isNotEmpty())
    }

    fun connect() {
        a.talks.connect(cx(), b.address)
        settle()
    }

    /** Lets time pass from timer to timer, until this is so. */
    fun until(what: String, done: () -> Boolean) {
        repeat(200) {
            settle()
            if (done()) return
            now = maxOf(now, listOfNotNull(a.wakeAt, b.wakeAt).min())
            listOf(a, b).filter { it.wakeAt?.let { at -> at <= now } == true }.forEach { it.talks.handleTimeout(cx()) }
        }
        throw AssertionError("never: $what; ${a.events} ${b.events}")
    }

    fun say(from: Side, text: String) = say(from, text.toByteArray())

    fun say(from: Side, payload: ByteArray) {
        val sent = from.talks.send(cx(), payload)
        check(sent.to.contentEquals(other(from).address))
        deliver(other(from), sent.bytes)
        settle()
    }
}

/** The agent of the tests. */
object Acme {
    val signer = SigningKey(Algorithm.ED_DSA, key(7))
    val agent = signer.agent("acme")
    const val DAY = 86_400UL
    private val ISSUED = WALL / 1000UL - 1_000UL

    fun ticket(name: String, of: StaticKey, serial: UInt, days: ULong = 30UL, scope: String = "") = Ticket.issue(
        signer,
        Claims("acme", name, of.curve(), of.publicKey(), serial, ISSUED, ISSUED + days * DAY, scope = scope))

    fun list(number: UInt, vararg serials: UInt) =
        RevocationList.issue(signer, Revoked("acme", ISSUED, number, serials.toList()))
}

/** Two devices with tickets. */
fun ticketLab(suites: List<Suite> = listOf(Suite.SUITE0), curve: Curve = Curve.X25519, days: ULong = 30UL, psks: List<SecretBytes?> = listOf(null, null), life: UInt = 0u): Lab {
    val lab = Lab(open = false)
    for ((n, side) in listOf(lab.a, lab.b).withIndex()) {
        val (me, other) = listOf("aaaa", "bbbb").let { it[n] to it[1 - n] }
        val key = StaticKey.generate(side.device, curve)
        side.vault.keys[1u] = key
        side.wallet = Wallet(me, Acme.agent)
        side.wallet.install(Acme.ticket(me, key, n.toUInt() + 1u, days), WALL / 1000UL)
        side.open(TicketPeer.named(1u, me, other, psks[n]), suites, life)
    }
    return lab
}

/** An operator of the tests, at a desk of its own. */
class Office(val suite: Suite) {
    val device = Device(TestVault(99), TestRandom(99UL))
    val key = OperatorKey.generate(device, suite)
    val operator = CredentialOperator("acme", suite, key.publicKey(), Acme.agent.algorithm, Acme.agent.key)
    val numbers = TicketAgent("acme").also { it.save(device, TestStore(), 1u) }

    /** Split issue: request, answer, and the key goes into the vault. */
    fun issue(to: Side, name: String, number: UShort = 1u, hours: UShort = 1000u) {
        val asked = CredentialRequest(to.device, suite, name)
        val answer = key.issue(device, numbers, asked.request(), (WALL / 1000UL).toUInt() - 10u, hours)
        val issued = to.holder.accept(asked, answer, WALL / 1000UL)
        to.vault.keys[number] = issued.key
        to.holder.install(issued.credential, WALL / 1000UL)
    }
}

/** Two devices with credentials. */
fun credentialLab(suite: Suite = Suite.SUITE0, psks: List<SecretBytes?> = listOf(null, null), setup: CredentialSetup = CredentialSetup(60u, 10u, key = 1u), office: Office = Office(suite)): Lab {
    val lab = Lab(open = false)
    for ((n, side) in listOf(lab.a, lab.b).withIndex()) {
        val (me, other) = listOf("aaaa", "bbbb").let { it[n] to it[1 - n] }
        side.holder = Holder(me, office.operator)
        office.issue(side, me)
        side.open(CredentialPeer.named(suite, 1u, me, other, psks[n]), setup)
    }
    return lab
}

inline fun <reified E : Throwable> thrown(call: () -> Unit): E =
    try {
        call()
        null
    } catch (e: Throwable) {
        e as? E ?: throw e
    } ?: throw AssertionError("nothing was thrown")
