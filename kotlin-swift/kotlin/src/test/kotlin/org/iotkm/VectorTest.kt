package org.iotkm

import com.google.gson.JsonArray
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import com.google.gson.JsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import java.io.File

/** Plays tests/vectors: every call with the same time and randomness gives the same bytes as in every other language. */
class VectorTest {
    @TestFactory
    fun vectors(): List<DynamicTest> {
        val folder = File("../../tests/vectors")
        val files = SCHEMES.flatMap { scheme ->
            folder.resolve(scheme).listFiles { file -> file.name.endsWith(".json") }!!.sorted().also { check(it.isNotEmpty()) }
        }
        return files.map { file ->
            DynamicTest.dynamicTest(file.relativeTo(folder).path) { play(JsonParser.parseString(file.readText()).asJsonObject) }
        }
    }

    private fun play(vector: JsonObject) {
        val nodes = listOf("a", "b").associateWith { Node(vector.getAsJsonObject(it)) }
        vector.getAsJsonArray("steps").map { it.asJsonObject }.forEachIndexed { i, step ->
            val node = nodes.getValue(step.text("node"))
            val place = "${vector.text("name")}, step $i: ${step.text("node")} ${step.text("do")}"
            node.draws.addAll(step.getAsJsonArray("random").map { unhex(it.asString) })
            assertEquals(step.getAsJsonObject("returns"), node.call(step), "$place: what it returns")
            val (outputs, wake) = node.drain(step["now"].asLong.toULong())
            assertEquals(step.getAsJsonArray("outputs"), outputs, "$place: outputs")
            assertEquals(step["wake"]?.takeUnless { it.isJsonNull }?.asLong?.toULong(), wake, "$place: when to wake up")
            assertEquals(0, node.draws.size, "$place: randomness left over")
        }
    }

    private class Node(private val about: JsonObject) {
        val draws = ArrayDeque<ByteArray>()
        private val vault = object : KeyVault {
            override fun deviceSecret() = unhex(about.text("device"))
            override fun publicKey(key: UShort, curve: Curve) = keys[key]?.publicKey()
            override fun agree(key: UShort, curve: Curve, share: ByteArray) = keys[key]?.agree(share)
            override fun power(key: UShort, curve: Curve, element: ByteArray) = keys[key]?.power(element)
        }
        private val keys: MutableMap<UShort, StaticKey> = mutableMapOf<UShort, StaticKey>()
        private val random = object : RandomSource {
            override fun random(length: UInt) = draws.removeFirst().also { check(it.size == length.toInt()) }
        }
        private val device = Device(vault, random)
        private val suites = (about["suites"]?.asJsonArray?.map { it.asString } ?: listOf(about["suite"].asString)).map { suiteOf(it) }
        private val suite = suites[0]
        private val config = Config(
            cid = about["cid"]?.let { unhex(it.asString) } ?: byteArrayOf(),
            mtu = about["mtu"]?.asInt?.toUShort() ?: 1200u,
            log = 24u,
            rekeyAfter = about["rekey_after"]?.asInt?.toUInt() ?: (1u shl 20),
        )
        private val other = about.text("other").toByteArray()
        private var stored: ByteArray? = null
        private lateinit var talks: Talks
        private var pairing: Pairing? = null
        private var history: History? = null
        private var interactive: Interactive? = null
        private var wallet: Wallet? = null
        private var noninteractive: Noninteractive? = null
        private var holder: Holder? = null

        init {
            if (about.has("ticket")) {
                keys[1u] = StaticKey(curveOf(suite), secret("key"))
                wallet = Wallet(name("id"), Agent(name("agent"), Algorithm.ED_DSA, unhex(about.text("agent_key"))))
                wallet!!.install(Ticket.peek(unhex(about.text("ticket"))), null)
                open(stranger())
            } else if (about.has("credential")) {
                // Scalars are exponents there, so it is the group of prime order on the same curve.
                val curve = curveOf(suite).takeUnless { it == Curve.X25519 } ?: Curve.RISTRETTO255
                keys[1u] = StaticKey(curve, secret("key"))
                if (about.has("next_key")) keys[2u] = StaticKey(curve, secret("next_key"))
                val operator = CredentialOperator(
                    name("operator"), suite, unhex(about.text("operator_key")), Algorithm.ED_DSA, unhex(about.text("lists_key")))
                holder = Holder(name("id"), operator)
                holder!!.install(Credential(suite, unhex(about.text("credential"))), wall(0u)?.let { it / 1000u })
                open(nobody())
            } else if (about.has("cpace")) {
                val pace = if (about.text("cpace") == "p256") Pace.P256 else Pace.RISTRETTO255
                pairing = Pairing.open(device, Setup(unhex(about.text("id")), suite, pace, 1u, 2u), config, null)
            } else {
                val peer = Peer.provisioned(
                    1u, unhex(about.text("id")), unhex(about.text("peer")), suite, secret("sk"), secret("t"), secret("li"))
                if (about.has("psk")) peer.setPsk(secret("psk"))
                open(peer)
            }
        }

        private fun name(field: String): String = unhex(about.text(field)).decodeToString()
        private fun secret(field: String): SecretBytes = SecretBytes(unhex(about.text(field)))
        private fun psk(): SecretBytes? = if (about.has("psk")) secret("psk") else null
        private fun stranger() = TicketPeer.named(1u, name("id"), name("peer"), psk())

        private fun nobody() =
            if (about.has("peer")) CredentialPeer.named(suite, 1u, name("id"), name("peer"), psk())
            else CredentialPeer.anyone(suite, 1u, name("id"), psk())

        private fun open(peer: CredentialPeer) {
            fun number(name: String, default: Int) = about[name]?.asInt ?: default
            val setup = CredentialSetup(
                number("interval", 60).toUInt(), number("length", 1000).toUShort(), number("life", 0).toUInt(), 1u,
                if (about.has("next_key")) 2u else null)
            noninteractive = Noninteractive.open(device, peer, holder!!, setup, config, null).also { talks = Talks(it) }
        }

        private fun open(peer: Peer) {
            history = History.open(device, peer, suite, config, null).also { talks = Talks(it) }
        }

        private fun open(peer: TicketPeer) {
            val setup = TicketSetup(suites, 1u, life = about["life"]?.asInt?.toUInt() ?: 0u)
            interactive = Interactive.open(device, peer, wallet!!, setup, config, null).also { talks = Talks(it) }
        }

        private fun wall(now: ULong) = about["wall"]?.takeUnless { it.isJsonNull }?.asLong?.let { it.toULong() + now }

        private fun cx(now: ULong) = Cx(
            now, wall(now),
            about["place"]?.let { unhex(it.asString) } ?: byteArrayOf())

        fun call(step: JsonObject): JsonObject {
            val cx = cx(step["now"].asLong.toULong())
            val returns = JsonObject()
            fun bytes(name: String) = unhex(step.text(name))
            pairing?.let { pairing ->
                when (step.text("do")) {
                    "listen" -> pairing.listen(cx, SecretBytes(bytes("secret")), step["window"].asLong.toULong())
                    "start" -> pairing.start(cx, other, SecretBytes(bytes("secret")))
                    "timeout" -> pairing.handleTimeout(cx)
                    "input" -> pairing.handleInput(cx, other, bytes("bytes"))
                    else -> error("no verb $step")
                }
                return returns
            }
            when (step.text("do")) {
                "connect" -> talks.connect(cx, other)
                "update" -> history!!.update(cx)
                "authenticate" -> interactive!!.authenticate(cx, other)
                "ping" -> interactive!!.ping(cx, other)
                "go_on" -> noninteractive!!.goOn(cx)
                "revoke" -> {
                    holder!!.revoke(RevocationList.peek(bytes("list")))
                    noninteractive!!.recheck(cx)
                }
                "install" -> if (holder != null) {
                    holder!!.install(Credential(suite, bytes("credential")), cx.wall?.let { it / 1000u })
                } else {
                    wallet!!.install(Ticket.peek(bytes("ticket")), cx.wall?.let { it / 1000u })
                    interactive!!.recheck(cx)
                }
                "timeout" -> talks.handleTimeout(cx)
                "input" -> talks.handleInput(cx, other, bytes("bytes"))?.let {
                    returns.addProperty("payload", hex(it.payload))
                    returns.add("time", it.time?.let { time -> JsonPrimitive(time.toLong()) } ?: JsonNull.INSTANCE)
                    returns.addProperty("place", hex(it.place))
                }
                "send" -> returns.addProperty("bytes", hex(talks.send(cx, bytes("payload")).bytes))
                "export" -> returns.addProperty("bytes", hex(talks.export(cx)))
                "exporter" -> {
                    val secret = talks.exporter(bytes("label").decodeToString(), bytes("context"), 40u)
                    returns.addProperty("bytes", hex(secret.expose()))
                }
                "restart" -> {
                    val blob = if (step.has("peer")) bytes("peer") else stored!!
                    if (holder != null) {
                        open(if (blob.isEmpty()) nobody() else CredentialPeer.fromBlob(device, suite, 1u, 0u, blob))
                    } else if (wallet != null) {
                        open(if (blob.isEmpty()) stranger() else TicketPeer.fromBlob(device, 1u, 0u, blob))
                    } else {
                        open(Peer.fromBlob(device, 1u, 0u, blob))
                    }
                    if (step.has("bytes")) talks.restore(cx, bytes("bytes"))
                }
                else -> error("no verb $step")
            }
            return returns
        }

        fun drain(now: ULong): Pair<JsonArray, ULong?> {
            val outputs = JsonArray()
            while (true) {
                val said = JsonObject()
                when (val output = pairing?.poll(cx(now)) ?: talks.poll(cx(now))) {
                    is Output.Idle -> return outputs to output.wakeAt
                    is Output.Datagram -> {
                        said.addProperty("datagram", output.to.decodeToString())
                        said.addProperty("bytes", hex(output.bytes))
                    }
                    is Output.Persist -> {
                        said.addProperty("persist", output.slot.toInt())
                        said.addProperty("version", output.version.toInt())
                        said.addProperty("bytes", hex(output.bytes))
                        if (output.slot == 1.toUShort()) stored = output.bytes
                        pairing?.persisted(output.slot, true) ?: talks.persisted(output.slot, true)
                    }
                    is Output.Happened -> event(output.event, said)
                }
                outputs.add(said)
            }
        }

        private fun event(event: Event, said: JsonObject) {
            fun name(name: String) = said.addProperty("event", name)
            fun generation(generation: UInt) = said.addProperty("generation", generation.toInt())
            when (event) {
                is Event.Established -> {
                    name("established")
                    said.addProperty("fingerprint", event.fingerprint)
                    said.addProperty("initiator", event.initiator)
                }
                is Event.Resumed -> { name("resumed"); generation(event.generation) }
                is Event.Rekeyed -> { name("rekeyed"); generation(event.generation) }
                is Event.Paired -> { name("paired"); said.addProperty("fingerprint", event.fingerprint) }
                is Event.UpdateAgreed -> { name("update_agreed"); generation(event.generation) }
                is Event.KeyReplaced -> { name("key_replaced"); generation(event.generation) }
                is Event.PeerAlive -> name("peer_alive")
                is Event.Hint -> { name("hint"); said.addProperty("reason", event.reason.name.lowercase()) }
                is Event.Terminated -> name("terminated")
                is Event.RekeyNeeded -> name("rekey_needed")
                is Event.UpdateFailed -> { name("update_failed"); said.addProperty("reason", event.reason.name.lowercase()) }
                is Event.Failed -> {
                    name("failed")
                    said.addProperty("stage", event.stage.name.lowercase())
                    said.addProperty("reason", event.reason.name.lowercase())
                }
                else -> error("no vector has $event")
            }
        }
    }

    private companion object {
        /** Folders of tests/vectors; history's lie above. */
        val SCHEMES = listOf("", "interactive", "noninteractive")
        fun suiteOf(name: String) = when (name) {
            "-21" -> Suite.SUITE_FFC2048
            "-22" -> Suite.SUITE_FFC3072
            else -> Suite.valueOf("SUITE" + name.uppercase())
        }
        fun curveOf(suite: Suite) = when (suite) {
            Suite.SUITE2, Suite.SUITE3, Suite.SUITE5 -> Curve.P256
            Suite.SUITE_FFC2048 -> Curve.FFC2048
            Suite.SUITE_FFC3072 -> Curve.FFC3072
            else -> Curve.X25519
        }
        fun JsonObject.text(name: String): String = this[name].asString
        fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }
        fun unhex(text: String) = ByteArray(text.length / 2) { text.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
    }
}
