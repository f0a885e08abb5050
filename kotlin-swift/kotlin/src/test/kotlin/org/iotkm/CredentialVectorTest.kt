package org.iotkm

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.io.File

/**
 * Plays tests/vectors/primitives/credentials.json: the same draws give the same requests, answers and keys; the same is refused; a
 * device's next credential comes by the same messages, and is stored in the same blobs.
 */
class CredentialVectorTest {
    private val vectors = JsonParser.parseString(File("../../tests/vectors/primitives/credentials.json").readText()).asJsonObject
    private fun all(name: String) = vectors[name].asJsonArray.map { it.asJsonObject }
    private fun JsonObject.text(name: String) = this[name].asString
    private fun unhex(text: String) = text.chunked(2).map { it.toInt(16).toByte() }.toByteArray()
    private fun JsonObject.bytes(name: String) = unhex(text(name))
    private fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }
    private val vault = SecretVault { ByteArray(32) }

    private fun drawing(vector: JsonObject, name: String): Device {
        val draws = ArrayDeque(vector[name].asJsonArray.map { unhex(it.asString) })
        return Device(vault, object : RandomSource {
            override fun random(length: UInt) = draws.removeFirst().also { check(it.size == length.toInt()) }
        })
    }

    private fun suite(about: JsonObject) = when (val name = about.text("suite")) {
        "-21" -> Suite.SUITE_FFC2048
        "-22" -> Suite.SUITE_FFC3072
        else -> Suite.valueOf("SUITE$name")
    }

    private class Office(about: JsonObject, suite: Suite, key: OperatorKey, lists: ByteArray) {
        val operator = CredentialOperator(about["name"].asString, suite, key.publicKey(), Algorithm.ED_DSA, lists)
        val numbers = TicketAgent(about["name"].asString)
    }

    @Test
    fun `issued and refused`() {
        all("operators").forEachIndexed { place, about ->
            val suite = suite(about)
            val key = OperatorKey(suite, SecretBytes(about.bytes("x")))
            assertEquals(about.text("key"), hex(key.publicKey()))
            val office = Office(about, suite, key, about.bytes("lists_key"))
            office.numbers.save(Device(vault, null), TestStore(), 1u)
            for (vector in all("credentials").filter { it["operator"].asInt == place }) {
                val (name, now) = vector.text("device") to vector["issued_at"].asLong
                val (life, holder) = vector["life"].asInt.toUShort() to Holder(name, office.operator)
                val desk = drawing(vector, "operator_draws")
                val issued = if (vector["split"].asBoolean) {
                    val asked = CredentialRequest(drawing(vector, "device_draws"), suite, name)
                    assertEquals(vector.text("request"), hex(asked.request()))
                    assertEquals(name, requestedDevice(suite, asked.request()))
                    val answer = key.issue(desk, office.numbers, asked.request(), now.toUInt(), life)
                    assertEquals(vector.text("answer"), hex(answer))
                    holder.accept(asked, answer, now.toULong())
                } else {
                    key.issuePrintedKnowingThePrivateKey(desk, office.numbers, name, now.toUInt(), life)
                }
                assertEquals(vector.text("credential"), hex(issued.credential.bytes()))
                assertEquals(vector.text("reference"), hex(issued.credential.reference()))
                assertEquals(vector.text("key"), hex(issued.key.publicKey()))
                assertEquals(vector.text("key"), hex(credentialKey(office.operator, issued.credential)))
                holder.check(issued.credential, issued.key, now.toULong())
                holder.install(issued.credential, now.toULong())
            }
            for (vector in all("refused").filter { it["operator"].asInt == place }) {
                // As if k1 had just been drawn: groups that draw more take it for a big-endian number.
                val k1 = vector.bytes("k1")
                val drawn = Device(vault, object : RandomSource {
                    override fun random(length: UInt) = ByteArray(length.toInt() - k1.size) + k1
                })
                val asked = CredentialRequest(drawn, suite, vector.text("device"))
                val error = thrown<IotkmException.Refused> {
                    Holder(vector.text("device"), office.operator).accept(asked, vector.bytes("bytes"), vector["wall"].asLong.toULong())
                }
                assertEquals(vector.text("reason") to vector["code"].asInt, error.reason to error.code())
            }
        }
    }

    @Test
    fun `messages about credentials`() {
        for (vector in all("messages")) {
            val (bytes, its) = vector.bytes("bytes") to vector.bytes("object")
            val message = when (vector.text("kind")) {
                "credential_due" -> TicketMessage.CredentialDue
                "credential_request" -> TicketMessage.CredentialAsked(its)
                else -> TicketMessage.CredentialAnswer(its)
            }
            assertEquals(hex(bytes), hex(writeTicketMessage(message)))
            assertEquals(hex(bytes), hex(writeTicketMessage(readTicketMessage(bytes))))
        }
    }

    private fun said(told: Told, curve: Curve, step: JsonObject): Any = when (told) {
        is Told.Nothing -> "nothing"
        is Told.Ask -> "ask"
        is Told.Acknowledge -> "acknowledge"
        is Told.Next -> {
            val x = step["returns"].asJsonObject.bytes("x")
            assertEquals(hex(StaticKey(curve, SecretBytes(x)).publicKey()), hex(told.issued.key.publicKey()))
            hex(told.issued.credential.bytes())
        }
    }

    private fun wanted(returns: JsonElement): Any? = when {
        returns.isJsonNull -> null
        returns.isJsonObject -> returns.asJsonObject.let { it["credential"]?.asString ?: (it.text("blob") to it["version"].asInt) }
        returns.asJsonPrimitive.isNumber -> returns.asInt
        returns.asJsonPrimitive.isBoolean -> returns.asBoolean
        else -> returns.asString
    }

    @Test
    fun `held and renewed`() {
        val operators = all("operators")
        for (vector in all("holders")) {
            val about = operators[vector["operator"].asInt]
            val (suite, key) = suite(about) to about.bytes("key")
            val curve = when (about.text("suite")) {
                "2" -> Curve.P256
                "-21" -> Curve.FFC2048
                "-22" -> Curve.FFC3072
                else -> Curve.RISTRETTO255
            }
            val operator = CredentialOperator(about.text("name"), suite, key, Algorithm.ED_DSA, about.bytes("lists_key"))
            val own = SecretVault { vector.bytes("device_secret") }
            var holder = Holder(vector.text("device"), operator)
            var blob = ByteArray(0)
            vector["steps"].asJsonArray.map { it.asJsonObject }.forEachIndexed { number, step ->
                val wall = step["wall"].takeUnless { it.isJsonNull }?.asLong?.toULong()
                val returned = try {
                    when (step.text("do")) {
                        "install" -> true.also { holder.install(Credential(suite, step.bytes("bytes")), wall) }
                        "handle" -> said(holder.handle(step.bytes("bytes"), wall), curve, step)
                        "ask" -> null.also { holder.ask(drawing(step, "random")) }
                        "store" -> holder.seal(Device(own, null)).let { sealed ->
                            holder.persisted()
                            blob = sealed.bytes
                            hex(blob) to sealed.version.toInt()
                        }
                        else -> {
                            holder = Holder(vector.text("device"), operator)
                            null.also { holder.restore(Device(own, null), blob, step["counter"].asInt.toUInt()) }
                        }
                    }
                } catch (error: IotkmException) {
                    error.code()
                }
                assertEquals(wanted(step["returns"]), returned, "step $number, ${step.text("do")}")
                fun text(name: String) = step[name].takeUnless { it.isJsonNull }?.asString
                assertEquals(
                    listOf(
                        step["floor"].asLong.toULong(), step["list_number"].asInt.toUInt(), text("serial"),
                        step["due_at"].asLong.toULong(), step["is_asking"].asBoolean, step["needs_store"].asBoolean, text("request"),
                        text("acknowledgement"),
                    ),
                    listOf(
                        holder.floor(), holder.listNumber(), holder.credential()?.claims()?.serial?.toString(),
                        holder.dueAt(vector["lead"].asLong.toULong()), holder.isAsking(), holder.needsStore(),
                        holder.request()?.let(::hex), holder.acknowledgement()?.let(::hex),
                    ),
                    "step $number, ${step.text("do")}",
                )
            }
        }
    }
}
