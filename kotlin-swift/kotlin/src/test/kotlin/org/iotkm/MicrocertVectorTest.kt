package org.iotkm

import com.google.gson.JsonArray
import com.google.gson.JsonObject
import org.junit.jupiter.api.TestFactory

/** Plays tests/vectors/microcert: a is a device, b its centre over rows in memory. */
class MicrocertVectorTest {
    @TestFactory
    fun vectors() = Player.tests("microcert") { side, about -> if (side == "a") Chipped(about) else City(about) }

    /** A chip and, once it is opened, its association. */
    private class Chipped(about: JsonObject) : Player(about) {
        private val stored = mutableMapOf<UShort, ByteArray>()
        private var chip: Chip? = null
        private lateinit var own: Microcert

        private fun open(of: Chip) {
            own = Microcert.open(device, of, config, null)
            chip = null
        }

        override fun call(step: JsonObject): JsonObject {
            val cx = cx(step["now"].asLong.toULong())
            when (step.text("do")) {
                "enrol" -> {
                    val made = Chip.enrol(device, 1u, 2u, step.bytes("bytes"))
                    chip = made
                    return json("bytes" to made.deposit())
                }
                "confirm" -> chip!!.confirm(step.bytes("bytes"))
                "open" -> open(chip!!)
                "authenticate" -> own.authenticate(cx, other)
                "sign" -> return json("bytes" to own.sign(cx, step.bytes("payload")))
                "restart" -> {
                    fun blob(name: String, slot: Int) = Stored(if (step.has(name)) step.bytes(name) else stored.getValue(slot.toUShort()))
                    open(Chip.fromBlobs(device, 1u, blob("seed", 1), 2u, blob("state", 2)))
                    if (step.has("bytes")) own.restore(cx, step.bytes("bytes"))
                }
                "chip" -> return own.chip().run {
                    json(
                        "generation" to generation.toInt(), "years" to listOf(firstYear.toInt(), lastYear.toInt()),
                        "floor" to floor.toLong(), "confirmed" to confirmed, "revoked" to revoked)
                }
                else -> return common(Talks(own), cx, step)
            }
            return json()
        }

        override fun drain(now: ULong): Pair<JsonArray, ULong?> {
            val outputs = JsonArray()
            chip?.let { chip ->
                while (chip.needsStore()) {
                    val part = chip.seal(device)
                    stored[part.slot] = part.bytes
                    outputs.add(persist(part.slot, part.version, part.bytes))
                    chip.persisted()
                }
                return outputs to null
            }
            val wake = drain({ own.poll(cx(now)) }, { stored[it.slot] = it.bytes; own.persisted(it.slot, true) }, outputs)
            return outputs to wake
        }
    }

    /** A centre, and its side of the newest session. */
    private class City(about: JsonObject) : Player(about) {
        private val rows = mutableMapOf<String, SeedRow>()
        private var outputs = JsonArray()
        private val store = object : SeedStore {
            override fun get(id: ByteArray) = rows[hex(id)]
            override fun swap(id: ByteArray, version: UInt, state: ByteArray, seed: ByteArray?): Boolean {
                rows[hex(id)] = SeedRow(state, seed ?: rows.getValue(hex(id)).seed)
                val written = json("row" to id, "version" to version.toInt(), "state" to state)
                outputs.add(written.also { if (seed != null) it.put("seed", seed) })
                return true
            }
        }
        private val softKeys = SoftKeys(SecretBytes(about.bytes("keys")))
        private var centre = made()
        private var served: Served? = null

        private fun made() =
            AuthCenter.open(device, about.bytes("id"), softKeys, store, CentreSetup(shares = 256u, answers = 16u))

        /** Whether a datagram is for the centre, not for a session: its ids are shorter here than those it gives by itself. */
        private fun isCentres(datagram: ByteArray) = hex(datagram).let { it.startsWith("15") || it.startsWith("1030") }

        override fun call(step: JsonObject): JsonObject {
            val cx = cx(step["now"].asLong.toULong())
            fun bytes(name: String) = step.bytes(name)
            when (step.text("do")) {
                "invite" -> return json(
                    "bytes" to centre.invite(cx, bytes("id"), suiteOf(step.text("suite")), step["clockless"].asBoolean))
                "enrol" -> return centre.enrol(cx, bytes("bytes")).run { json("id" to id, "bytes" to confirmation) }
                "update" -> centre.update(bytes("id"))
                "revoke" -> centre.revoke(bytes("id"))
                "verify" -> return centre.verify(bytes("bytes"), bytes("payload"))
                    ?.run { json("id" to id, "time" to time.toLong(), "counter" to counter.toLong()) } ?: json()
                "row" -> return centre.device(bytes("id"))!!.run {
                    json(
                        "standing" to standing, "generation" to generation.toInt(), "updating" to updating,
                        "years" to listOf(firstYear.toInt(), lastYear.toInt()), "counter" to counter.toLong())
                }
                "restart" -> {
                    centre = made()
                    served = null
                    if (step.has("seed")) rows[step.text("id")] = SeedRow(bytes("state"), bytes("seed"))
                    if (step.has("bytes")) {
                        served = Served.atRest(device, bytes("id"), suiteOf(step.text("suite")), config)
                        served!!.restore(cx, bytes("bytes"))
                    }
                }
                "input" -> if (isCentres(bytes("bytes"))) hear(cx, bytes("bytes")) else return common(Talks(served!!), cx, step)
                else -> return common(Talks(served!!), cx, step)
            }
            return json()
        }

        private fun hear(cx: Cx, datagram: ByteArray) {
            val handled = centre.handleInput(cx, other, datagram, config.cid)
            handled.event?.let { outputs.add(json("event" to it, "id" to handled.id)) }
            handled.reply?.let { outputs.add(json("datagram" to other.decodeToString(), "bytes" to it)) }
            handled.session?.let { served = Served.open(device, it, config) }
        }

        override fun drain(now: ULong): Pair<JsonArray, ULong?> {
            val said = outputs.also { outputs = JsonArray() }
            val wake = served?.let { served -> drain({ served.poll(cx(now)) }, { served.persisted(it.slot, true) }, said) }
            return said to wake
        }
    }
}
