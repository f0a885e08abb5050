// The noninteractive scheme: a sensor and a gateway get credentials by split issue, shake hands once, and from then on compute
// the keys of every epoch by themselves: nothing is sent for it. A restart goes on from the store.
//
//     kotlin-swift/generate swift && swift run --package-path examples/swift/programs Credentials
//
// What a real application does otherwise: the operator is somewhere else, requests and answers travel (neither is secret), keys
// lie in a key store that can give whole points, and every device has its own program.
import Foundation
import Iotkm
import Room

/// Issues credentials; it never learns a device's private key.
final class Issuer {
    private let device = Device(vault: ProcessVault())
    private let key: OperatorKey
    private let numbers: TicketAgent
    let `operator`: CredentialOperator

    init() throws {
        key = try OperatorKey.generate(device: device, suite: .suite0)
        numbers = try TicketAgent(name: "acme")
        try numbers.save(device: device, store: MemoryStore(), slot: 1)
        let lists = try SigningKey(algorithm: .edDsa, secret: SecretBytes(bytes: randomKey()))
        `operator` = CredentialOperator(
            name: "acme", suite: .suite0, key: key.publicKey(), listsAlgorithm: lists.algorithm(), listsKey: lists.publicKey())
    }

    func answer(_ request: Data, _ now: UInt64) throws -> Data {
        try key.issue(device: device, agent: numbers, request: request, now: UInt32(now), life: 720)
    }
}

/// A device: static key, holder, store.
final class Credentialed {
    private let (name, peer): (String, String)
    private let device: Device
    private let store = MemoryStore()
    private let holder: Holder

    init(_ name: String, _ peer: String, _ issuer: Issuer, _ now: UInt64) throws {
        (self.name, self.peer) = (name, peer)
        let vault = ProcessVault()
        device = Device(vault: vault)
        holder = try Holder(name: name, operator: issuer.operator)
        let asked = try CredentialRequest(device: device, suite: .suite0, name: name)
        let issued = try holder.accept(asked: asked, answer: issuer.answer(asked.request(), now), wall: now)
        // First the key, then what it belongs to.
        vault.keys[0] = issued.key
        try holder.install(credential: issued.credential, wall: now)
        try holder.save(device: device, store: store, slot: 0)
    }

    /// An epoch an hour, a day of them.
    private func open(_ known: CredentialPeer) throws -> Noninteractive {
        try Noninteractive.open(
            device: device, peer: known, holder: holder, setup: CredentialSetup(interval: 3600, length: 24),
            config: Config(), store: store)
    }

    func new() throws -> Noninteractive {
        try open(CredentialPeer.named(suite: .suite0, slotNumber: 1, ownId: name, id: peer))
    }

    func again() throws -> Noninteractive {
        try open(CredentialPeer.restore(device: device, suite: .suite0, store: store, slot: 1))
    }
}

func fail(_ what: String) -> Never {
    print("failed: \(what)\ncredentials: failed")
    exit(1)
}

let room = Room()
let issuer = try Issuer()
let here = try Credentialed("sensor", "gateway", issuer, room.seconds)
var sensor = try here.new()
let gateway = try Credentialed("gateway", "sensor", issuer, room.seconds).new()
let to = Data("gateway".utf8)

func member(_ own: Noninteractive) -> Room.Member {
    Room.Member(
        poll: { try own.poll(cx: $0) }, input: { try own.handleInput(cx: $0, from: $1, datagram: $2) },
        timeout: { try own.handleTimeout(cx: $0) })
}

func say(_ text: String) throws {
    try room.carry("sensor", to, sensor.send(cx: room.cx, payload: Data(text.utf8)).bytes)
    try room.settle()
}

room.enter("sensor", member(sensor))
let there = member(gateway)
room.enter("gateway", there)
try sensor.connect(cx: room.cx, to: to)
guard try room.until(600, { try sensor.isEstablished() && gateway.isEstablished() }) else { fail("handshake") }
try say("21.5 C")

// Five hours later: five epochs further, not a byte for it.
let before = room.datagrams
_ = try room.until(5 * 3600 + 60) { false }
print("epoch \(try sensor.epoch() ?? 0) on both sides, \(room.datagrams - before) datagrams since the handshake's data")
guard room.datagrams == before, try sensor.epoch() == 6, try gateway.epoch() == 6 else { fail("epochs") }
try say("20.9 C")

// The power fails: the store has all that is needed.
sensor = try here.again()
room.enter("sensor", member(sensor))
try sensor.goOn(cx: room.cx)
guard try room.until(600, { try sensor.isEstablished() }) else { fail("going on") }
try say("20.8 C")
print(there.received == ["21.5 C", "20.9 C", "20.8 C"] ? "credentials: ok" : "credentials: failed")
