package org.iotkm

import com.google.gson.JsonArray
import com.google.gson.JsonObject
import org.junit.jupiter.api.TestFactory

/** Plays tests/vectors: every call with the same time and randomness gives the same bytes as in every other language. */
class VectorTest {
    /** History's lie in the folder itself. */
    @TestFactory
    fun vectors() = Player.tests("", "interactive", "noninteractive") { _, about -> Node(about) }

    private class Node(about: JsonObject) : Player(about) {
        private val suites = (about["suites"]?.asJsonArray?.map { it.asString } ?: listOf(about["suite"].asString)).map { suiteOf(it) }
        private val suite = suites[0]
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

        override fun call(step: JsonObject): JsonObject {
            val cx = cx(step["now"].asLong.toULong())
            fun bytes(name: String) = step.bytes(name)
            pairing?.let { pairing ->
                when (step.text("do")) {
                    "listen" -> pairing.listen(cx, SecretBytes(bytes("secret")), step["window"].asLong.toULong())
                    "start" -> pairing.start(cx, other, SecretBytes(bytes("secret")))
                    "timeout" -> pairing.handleTimeout(cx)
                    "input" -> pairing.handleInput(cx, other, bytes("bytes"))
                    else -> error("no verb $step")
                }
                return json()
            }
            when (step.text("do")) {
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
                else -> return common(talks, cx, step)
            }
            return json()
        }

        override fun drain(now: ULong): Pair<JsonArray, ULong?> {
            val outputs = JsonArray()
            val wake = drain({ pairing?.poll(cx(now)) ?: talks.poll(cx(now)) }, { output ->
                if (output.slot == 1.toUShort()) stored = output.bytes
                pairing?.persisted(output.slot, true) ?: talks.persisted(output.slot, true)
            }, outputs)
            return outputs to wake
        }
    }

    private companion object {
        fun curveOf(suite: Suite) = when (suite) {
            Suite.SUITE2, Suite.SUITE3, Suite.SUITE5 -> Curve.P256
            Suite.SUITE_FFC2048 -> Curve.FFC2048
            Suite.SUITE_FFC3072 -> Curve.FFC3072
            else -> Curve.X25519
        }
    }
}
