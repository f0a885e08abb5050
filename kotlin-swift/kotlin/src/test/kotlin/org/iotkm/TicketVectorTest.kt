package org.iotkm

import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import com.google.gson.JsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.io.File

/** Plays tests/vectors/primitives/tickets.json: tickets, lists, what is refused, a wallet step by step; and renewal.json: an agent, an operator. */
class TicketVectorTest {
    private fun load(name: String) = JsonParser.parseString(File("../../tests/vectors/primitives/$name.json").readText()).asJsonObject
    private val vectors = load("tickets")
    private fun all(name: String) = vectors[name].asJsonArray.map { it.asJsonObject }
    private fun JsonObject.text(name: String) = this[name].asString
    private fun JsonObject.number(name: String) = this[name].takeUnless { it.isJsonNull }?.asLong?.toULong()
    private fun JsonObject.bytes(name: String) = this[name].takeUnless { it.isJsonNull }?.asString.orEmpty().chunked(2).map { it.toInt(16).toByte() }.toByteArray()
    private fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }
    private fun algorithm(agent: JsonObject) = if (agent.text("algorithm") == "EdDSA") Algorithm.ED_DSA else Algorithm.ES256
    private fun about(vector: JsonObject) = all("agents")[vector["agent"].asInt]
    private fun signer(agent: JsonObject) = SigningKey(algorithm(agent), SecretBytes(agent.bytes("secret")))
    private fun agent(vector: JsonObject) = about(vector).let { Agent(it.text("name"), algorithm(it), it.bytes("public")) }

    @Test
    fun `tickets and lists`() {
        for (agent in all("agents")) {
            assertEquals(agent.text("public"), hex(signer(agent).publicKey()))
        }
        for (vector in all("tickets")) {
            val (agent, curve) = about(vector) to Curve.valueOf(vector.text("group").uppercase())
            assertEquals(vector.text("key"), hex(StaticKey(curve, SecretBytes(vector.bytes("private"))).publicKey()))
            val claims = Claims(
                agent.text("name"), vector.text("device"), curve, vector.bytes("key"), vector["serial"].asInt.toUInt(),
                vector.number("issued_at")!!, vector.number("expires")!!, vector.number("not_before"), vector.text("scope"))
            val ticket = Ticket.issue(signer(agent), claims)
            assertEquals(vector.text("bytes"), hex(ticket.bytes()))
            assertEquals(vector.text("reference"), hex(ticket.reference()))
            assertEquals(claims.scope, Ticket.verify(ticket.bytes(), agent(vector)).claims().scope)
        }
        for (vector in all("lists")) {
            val agent = about(vector)
            val serials = vector["serials"].asJsonArray.map { it.asLong.toUInt() }
            val said = Revoked(agent.text("name"), vector.number("issued_at")!!, vector["number"].asLong.toUInt(), serials)
            val list = RevocationList.issue(signer(agent), said)
            assertEquals(vector.text("bytes"), hex(list.bytes()))
            assertEquals(said, RevocationList.verify(list.bytes(), agent(vector)).revoked())
        }
    }

    @Test
    fun `what is refused`() {
        for (vector in all("refused")) {
            val error = thrown<IotkmException.Refused> {
                if (vector.text("kind") == "ticket") Ticket.verify(vector.bytes("bytes"), agent(vector))
                else RevocationList.verify(vector.bytes("bytes"), agent(vector))
            }
            assertEquals(vector.text("reason") to vector["code"].asInt, error.reason to error.code())
        }
    }

    @Test
    fun `a device's request`() {
        val vector = all("messages").single { it.text("kind") == "request" }
        val curve = Curve.valueOf(vector.text("group").uppercase())
        val vault = object : KeyVault {
            override fun deviceSecret() = ByteArray(32)
            override fun publicKey(key: UShort, curve: Curve) = vector.bytes("key")
            override fun agree(key: UShort, curve: Curve, share: ByteArray): ByteArray? = null
            override fun power(key: UShort, curve: Curve, element: ByteArray): ByteArray? = null
        }
        val request = ticketRequest(Device(vault, null), 0u, curve, vector.text("device"), vector.text("scope"), vector.number("lifetime")!!)
        assertEquals(vector.text("bytes"), hex(request))
    }

    @Test
    fun messages() {
        for (vector in all("messages")) {
            val message = when (val kind = vector.text("kind")) {
                "request" -> TicketMessage.Request(TicketRequest(
                    vector.text("device"), Curve.valueOf(vector.text("group").uppercase()), vector.bytes("key"), vector.number("lifetime")!!, vector.text("scope")))
                "list" -> TicketMessage.RevocationList(RevocationList.peek(vector.bytes("object")))
                "acknowledged" -> TicketMessage.Acknowledged(vector.bytes("ticket"), vector["list"].asInt.toUInt())
                else -> TicketMessage.Refusal(vector["code"].asLong).also { assertEquals("refused", kind) }
            }
            assertEquals(vector.text("bytes"), hex(writeTicketMessage(message)))
            val read = readTicketMessage(vector.bytes("bytes"))
            assertEquals(message::class, read::class)
            assertEquals(vector.text("bytes"), hex(writeTicketMessage(read)))
        }
    }

    /** What a call gives, or the code of what it throws. */
    private fun returned(call: () -> Any?): JsonElement = try {
        when (val value = call()) {
            is JsonElement -> value
            is ByteArray -> JsonPrimitive(hex(value))
            is String -> JsonPrimitive(value)
            is Boolean -> JsonPrimitive(value)
            else -> JsonNull.INSTANCE
        }
    } catch (error: IotkmException) {
        JsonPrimitive(error.code())
    }

    @Test
    fun `a ticket agent, step by step`() {
        val vector = load("renewal")
        val about = vector["agent"].asJsonObject
        val (key, device) = signer(about) to Device(SecretVault { vector.bytes("device_secret") }, null)
        assertEquals(about.text("public"), hex(key.publicKey()))
        var agent = TicketAgent(about.text("name"))
        var blob = ByteArray(0)
        for ((i, step) in vector["ticket_agent"].asJsonArray.map { it.asJsonObject }.withIndex()) {
            val returns = returned {
                when (step.text("do")) {
                    "issue" -> {
                        val asked = readTicketMessage(step.bytes("request")) as TicketMessage.Request
                        agent.issue(key, asked.request, step.number("now")!!).bytes()
                    }
                    "revoke" -> agent.revoke(key, step["serials"].asJsonArray.map { it.asInt.toUInt() }, step.number("now")!!).bytes()
                    "seal" -> agent.seal(device).let { sealed ->
                        blob = sealed.bytes
                        JsonObject().apply { addProperty("blob", hex(blob)); addProperty("version", sealed.version.toLong()) }
                    }
                    "persisted" -> agent.persisted()
                    else -> { agent = TicketAgent.fromBlob(device, step["floor"].asInt.toUInt(), blob); agent.name() }
                }
            }
            assertEquals(step["returns"] ?: JsonNull.INSTANCE, returns, "step $i, ${step.text("do")}")
        }
    }

    @Test
    fun `an operator, step by step`() {
        val vector = load("renewal")["operator"].asJsonObject
        val operator = Operator(vector["capacity"].asInt.toUInt(), vector.number("lead")!!, vector.number("retry")!!)
        fun optional(value: ULong?) = value?.let { JsonPrimitive(it.toLong()) } ?: JsonNull.INSTANCE
        for ((i, step) in vector["steps"].asJsonArray.map { it.asJsonObject }.withIndex()) {
            val returns = returned {
                when (step.text("do")) {
                    "knows" -> { operator.knows(Ticket.peek(step.bytes("ticket"))); true }
                    "ask" -> operator.ask(step.number("now")!!)
                    "issued" -> { operator.issued(Ticket.peek(step.bytes("ticket"))); true }
                    "handle" -> operator.handle(step.text("device"), step.bytes("message"))
                    else -> operator.forget(step.text("device"))
                }
            }
            val devices = JsonArray()
            for (known in operator.devices()) devices.add(JsonObject().apply {
                add("asked_at", optional(known.askedAt))
                addProperty("device", known.device)
                addProperty("expires", known.expires.toLong())
                add("waiting", known.waiting?.let { JsonPrimitive(hex(it)) } ?: JsonNull.INSTANCE)
                assertEquals(known.waiting?.let(::hex), operator.waitingFor(known.device)?.let(::hex))
            })
            val state = mapOf("returns" to returns, "wake_at" to optional(operator.wakeAt()), "devices" to devices)
            for ((name, value) in state) assertEquals(step[name], value, "step $i, ${step.text("do")}: $name")
        }
    }

    @Test
    fun `a wallet, step by step`() {
        val vector = vectors["wallet"].asJsonObject
        val device = Device(SecretVault { vector.bytes("device_secret") }, null)
        fun new() = Wallet(vector.text("device"), agent(vector))
        val wallet = new()
        for ((i, step) in vector["steps"].asJsonArray.map { it.asJsonObject }.withIndex()) {
            val (wall, data) = step.number("wall") to step.bytes("bytes")
            val returned: JsonElement = try {
                when (step.text("do")) {
                    "install" -> JsonPrimitive(wallet.install(Ticket.peek(data), wall))
                    "revoke" -> JsonPrimitive(wallet.revoke(RevocationList.peek(data)))
                    "handle" -> JsonPrimitive(wallet.handle(data, wall))
                    "check" -> { wallet.check(Ticket.peek(data), wall); JsonPrimitive(true) }
                    "saw" -> { wallet.saw(Ticket.peek(data), wall); JsonPrimitive(true) }
                    else -> {
                        val sealed = wallet.seal(device)
                        wallet.persisted()
                        val again = new().also { it.restore(device, sealed.bytes, sealed.version) }
                        assertEquals(wallet.floor() to wallet.listNumber(), again.floor() to again.listNumber())
                        JsonObject().apply { addProperty("blob", hex(sealed.bytes)); addProperty("version", sealed.version.toLong()) }
                    }
                }
            } catch (error: IotkmException) {
                JsonPrimitive(error.code())
            }
            val state = JsonObject().apply {
                add("returns", returned)
                addProperty("floor", wallet.floor().toLong())
                addProperty("list_number", wallet.listNumber().toLong())
                add("tickets", JsonArray().apply { wallet.tickets().forEach { add(it.claims().serial.toLong()) } })
                add("shown", wallet.ticket(wall)?.let { JsonPrimitive(it.claims().serial.toLong()) } ?: JsonNull.INSTANCE)
                addProperty("needs_store", wallet.needsStore())
                add("acknowledgement", wallet.acknowledgement()?.let { JsonPrimitive(hex(it)) } ?: JsonNull.INSTANCE)
            }
            // A number is a number, however it is kept.
            state.entrySet().forEach { (name, value) -> assertEquals(step[name].toString(), value.toString(), "step $i, ${step.text("do")}: $name") }
        }
    }
}
