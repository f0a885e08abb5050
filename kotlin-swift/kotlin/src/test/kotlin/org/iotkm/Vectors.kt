// What the players of tests/vectors share.
package org.iotkm

import com.google.gson.JsonArray
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import com.google.gson.JsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.DynamicTest
import java.io.File

internal fun JsonObject.text(name: String): String = this[name].asString
internal fun JsonObject.bytes(name: String): ByteArray = unhex(text(name))
internal fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }
internal fun unhex(text: String) = ByteArray(text.length / 2) { text.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
internal fun json(vararg fields: Pair<String, Any?>) = JsonObject().apply { fields.forEach { (name, value) -> put(name, value) } }

internal fun JsonObject.put(name: String, value: Any?) = when (value) {
    null -> add(name, JsonNull.INSTANCE)
    is Number -> addProperty(name, value)
    is Boolean -> addProperty(name, value)
    is ByteArray -> addProperty(name, hex(value))
    is Enum<*> -> addProperty(name, value.name.lowercase())
    is List<*> -> add(name, JsonArray().also { list -> value.forEach { list.add(it as Number) } })
    else -> addProperty(name, value.toString())
}

/** One side of a vector. */
internal abstract class Player(protected val about: JsonObject) {
    val draws = ArrayDeque<ByteArray>()
    protected val keys = mutableMapOf<UShort, StaticKey>()
    protected val device = Device(
        object : KeyVault {
            override fun deviceSecret() = about.bytes("device")
            override fun publicKey(key: UShort, curve: Curve) = keys[key]?.publicKey()
            override fun agree(key: UShort, curve: Curve, share: ByteArray) = keys[key]?.agree(share)
            override fun power(key: UShort, curve: Curve, element: ByteArray) = keys[key]?.power(element)
        },
        object : RandomSource {
            override fun random(length: UInt) = draws.removeFirst().also { check(it.size == length.toInt()) }
        })
    protected val other = about.text("other").toByteArray()
    protected val config = Config(
        cid = about["cid"]?.let { unhex(it.asString) } ?: byteArrayOf(),
        mtu = about["mtu"]?.asInt?.toUShort() ?: 1200u,
        log = 24u,
        rekeyAfter = about["rekey_after"]?.asInt?.toUInt() ?: (1u shl 20),
    )

    protected fun wall(now: ULong) = about["wall"]?.takeUnless { it.isJsonNull }?.asLong?.let { it.toULong() + now }
    protected fun cx(now: ULong) = Cx(now, wall(now), about["place"]?.let { unhex(it.asString) } ?: byteArrayOf())

    abstract fun call(step: JsonObject): JsonObject
    abstract fun drain(now: ULong): Pair<JsonArray, ULong?>

    /** The calls that associations of all schemes have. */
    protected fun common(talks: Talks, cx: Cx, step: JsonObject): JsonObject = when (step.text("do")) {
        "connect" -> json().also { talks.connect(cx, other) }
        "timeout" -> json().also { talks.handleTimeout(cx) }
        "input" -> talks.handleInput(cx, other, step.bytes("bytes"))
            ?.let { json("payload" to it.payload, "time" to it.time?.toLong(), "place" to it.place) } ?: json()
        "send" -> json("bytes" to talks.send(cx, step.bytes("payload")).bytes)
        "export" -> json("bytes" to talks.export(cx))
        "exporter" -> json("bytes" to talks.exporter(step.bytes("label").decodeToString(), step.bytes("context"), 40u).expose())
        else -> error("no verb $step")
    }

    /** What comes out until idle, into `outputs`; when to wake up. */
    protected fun drain(poll: () -> Output, persisted: (Output.Persist) -> Unit, outputs: JsonArray): ULong? {
        while (true) when (val output = poll()) {
            is Output.Idle -> return output.wakeAt
            is Output.Datagram -> outputs.add(json("datagram" to output.to.decodeToString(), "bytes" to output.bytes))
            is Output.Persist -> { persisted(output); outputs.add(persist(output.slot, output.version, output.bytes)) }
            is Output.Happened -> outputs.add(said(output.event))
        }
    }

    protected fun persist(slot: UShort, version: UInt, bytes: ByteArray) =
        json("persist" to slot.toInt(), "version" to version.toInt(), "bytes" to bytes)

    private fun said(event: Event) = when (event) {
        is Event.Established -> json("event" to "established", "fingerprint" to event.fingerprint, "initiator" to event.initiator)
        is Event.Resumed -> json("event" to "resumed", "generation" to event.generation.toInt())
        is Event.Rekeyed -> json("event" to "rekeyed", "generation" to event.generation.toInt())
        is Event.Paired -> json("event" to "paired", "fingerprint" to event.fingerprint)
        is Event.UpdateAgreed -> json("event" to "update_agreed", "generation" to event.generation.toInt())
        is Event.KeyReplaced -> json("event" to "key_replaced", "generation" to event.generation.toInt())
        is Event.PeerAlive -> json("event" to "peer_alive")
        is Event.Hint -> json("event" to "hint", "reason" to event.reason)
        is Event.Terminated -> json("event" to "terminated")
        is Event.Authenticated -> json("event" to "authenticated")
        is Event.RekeyNeeded -> json("event" to "rekey_needed")
        is Event.UpdateFailed -> json("event" to "update_failed", "reason" to event.reason)
        is Event.Failed -> json("event" to "failed", "stage" to event.stage, "reason" to event.reason)
        else -> error("no vector has $event")
    }

    companion object {
        private val FOLDER = File("../../tests/vectors")

        /** A test for each vector in these folders, played by what `player` makes of each side. */
        fun tests(vararg folders: String, player: (String, JsonObject) -> Player): List<DynamicTest> = folders.flatMap { folder ->
            FOLDER.resolve(folder).listFiles { file -> file.name.endsWith(".json") }!!.sorted().also { check(it.isNotEmpty()) }
        }.map { file ->
            DynamicTest.dynamicTest(file.relativeTo(FOLDER).path) { play(JsonParser.parseString(file.readText()).asJsonObject, player) }
        }

        private fun play(vector: JsonObject, player: (String, JsonObject) -> Player) {
            val nodes = listOf("a", "b").associateWith { player(it, vector.getAsJsonObject(it)) }
            vector.getAsJsonArray("steps").map { it.asJsonObject }.forEachIndexed { i, step ->
                val node = nodes.getValue(step.text("node"))
                val place = "${vector.text("name")}, step $i: ${step.text("node")} ${step.text("do")}"
                node.draws.addAll(step.getAsJsonArray("random").map { unhex(it.asString) })
                val returns = try {
                    node.call(step)
                } catch (failed: IotkmException) {
                    json("error" to failed.code())
                }
                assertEquals(step.getAsJsonObject("returns"), returns, "$place: what it returns")
                val (outputs, wake) = node.drain(step["now"].asLong.toULong())
                assertEquals(step.getAsJsonArray("outputs"), outputs, "$place: outputs")
                assertEquals(step["wake"]?.takeUnless { it.isJsonNull }?.asLong?.toULong(), wake, "$place: when to wake up")
                assertEquals(0, node.draws.size, "$place: randomness left over")
            }
        }
    }
}

internal fun suiteOf(name: String) = when (name) {
    "-21" -> Suite.SUITE_FFC2048
    "-22" -> Suite.SUITE_FFC3072
    else -> Suite.valueOf("SUITE" + name.uppercase())
}
