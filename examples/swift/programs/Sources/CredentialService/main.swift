// An operator's devices get their next credentials over associations: one has a clock and asks, one has none and is told to.
//
//     kotlin-swift/generate swift && swift run --package-path examples/swift/programs CredentialService
//
// The counterpart of OperatorService in the noninteractive scheme. A part of the next private key is the device's own, so the device
// asks; the operator answers each request once, whatever is lost, and here its power goes at the worst moment. Time is played: a
// month passes at once.
import Foundation
import Iotkm
import Room

let suite = Suite.suite2

/// The operator's key and records.
final class Registry {
    private let device = Device(vault: ProcessVault())
    private let key: OperatorKey
    private let numbers: TicketAgent
    private var answers: [String: [Data: Data]] = [:]
    /// What devices go by.
    let `operator`: CredentialOperator

    init() throws {
        key = try OperatorKey.generate(device: device, suite: suite)
        numbers = try TicketAgent(name: "acme")
        try numbers.save(device: device, store: MemoryStore(), slot: 1)
        let lists = try SigningKey(algorithm: .edDsa, secret: SecretBytes(bytes: randomKey()))
        `operator` = CredentialOperator(
            name: "acme", suite: suite, key: key.publicKey(), listsAlgorithm: lists.algorithm(), listsKey: lists.publicKey())
    }

    /// The same answer to the same request; request and answer are stored before that leaves.
    func answer(_ name: String, _ request: Data, _ now: UInt64) throws -> Data {
        if let answer = answers[name]?[request] { return answer }
        let answer = try key.issue(device: device, agent: numbers, request: request, now: UInt32(now), life: 720)
        answers[name, default: [:]][request] = answer
        return answer
    }

    func issuedTo(_ name: String) -> Int { answers[name]?.count ?? 0 }
}

/// What an answer begins with; 32 bytes follow.
func credentialIn(_ answer: Data) throws -> Credential { try Credential(suite: suite, bytes: answer.dropLast(32)) }

/// A device: static keys, holder, store.
final class Enrolled {
    let name: String
    let device: Device
    let holder: Holder
    private let vault = ProcessVault()
    let store = MemoryStore()

    init(_ name: String, _ registry: Registry, _ now: UInt64) throws {
        self.name = name
        device = Device(vault: vault)
        holder = try Holder(name: name, operator: registry.operator)
        // The first credential, at the factory's bench.
        let asked = try CredentialRequest(device: device, suite: suite, name: name)
        let answer = try registry.answer(name, asked.request(), now)
        try install(holder.accept(asked: asked, answer: answer, wall: now), now, 0)
    }

    /// First the key, then what it belongs to.
    func install(_ issued: Issued, _ now: UInt64?, _ key: UInt16) throws {
        try store.write(slot: 10 + key, version: 0, bytes: issued.key.seal(device: device))
        vault.keys[key] = issued.key
        try holder.install(credential: issued.credential, wall: now)
        try save()
    }

    func save() throws {
        if try holder.needsStore() { try holder.save(device: device, store: store, slot: 0) }
    }

    /// An epoch a day; the key in use is number 0, that of the next credential 1.
    func with(_ peer: String, _ slot: UInt16) throws -> Noninteractive {
        try Noninteractive.open(
            device: device, peer: CredentialPeer.named(suite: suite, slotNumber: slot, ownId: name, id: peer), holder: holder,
            setup: CredentialSetup(interval: UInt32(day), length: 365, nextKey: 1), config: Config(tries: 4), store: store)
    }

    func serial() throws -> UInt32 { try holder.credential()!.claims().serial }
}

/// The operator's server.
final class Desk {
    private let (room, registry): (Room, Registry)
    private let hub: Hub
    private let its: Operator
    private let names: [String]
    private var sessions: [Noninteractive] = []
    private var heard: [(String, Data)] = []
    private var up: [String] = []
    /// Answers that their devices have not acknowledged.
    private(set) var waiting: [String: Data] = [:]
    /// Whether the next answer leaves.
    var hasPower = true

    init(_ room: Room, _ registry: Registry, _ devices: [Enrolled]) throws {
        (self.room, self.registry) = (room, registry)
        let own = try Enrolled("operator", registry, room.seconds)
        hub = try Hub.open(device: own.device, cx: room.cx, places: 10_000, busy: 8, store: own.store)
        its = try Operator(capacity: 10_000, lead: 3 * day, retry: day)
        names = devices.map { $0.name }
        for (place, device) in devices.enumerated() {
            try its.knowsCredential(credential: device.holder.credential()!)
            let session = try own.with(device.name, UInt16(place + 1))
            try hub.insertAt(place: UInt32(place), association: .noninteractive(session))
            sessions.append(session)
        }
        room.enter(
            "operator",
            Room.Member(
                poll: { [unowned self] in try poll($0) }, input: { [unowned self] in try input($0, $1, $2) },
                timeout: { [unowned self] in try hub.handleTimeout(cx: $0) }))
    }

    /// Tells every device to ask whose credential ends soon: those that have not asked by their own clocks.
    func tell() throws {
        while let name = try its.ask(now: room.seconds) { try say(name, .credentialDue) }
    }

    /// Takes in what devices said, and answers; sends what waits to those that came up; whether there was anything to do.
    func work() throws -> Bool {
        let (said, came) = (heard, up)
        (heard, up) = ([], [])
        for (name, message) in said { try take(name, message) }
        for name in came { if let answer = waiting[name] { try say(name, .credentialAnswer(answer: answer)) } }
        return !said.isEmpty || !came.isEmpty
    }

    private func take(_ name: String, _ message: Data) throws {
        if case .credentialAsked(let request) = try readTicketMessage(bytes: message) {
            try answer(name, request)
        } else if try its.handle(device: name, message: message) {
            waiting[name] = nil
        }
    }

    private func answer(_ name: String, _ request: Data) throws {
        // Nobody asks in another's name. How often a device may ask anew is the operator's policy.
        guard try requestedDevice(suite: suite, request: request) == name else { return }
        let answer = try registry.answer(name, request, room.seconds)
        guard hasPower else {
            hasPower = true
            return
        }
        try its.issuedCredential(credential: credentialIn(answer))
        waiting[name] = answer
        try say(name, .credentialAnswer(answer: answer))
    }

    private func session(_ name: String) -> Noninteractive { sessions[names.firstIndex(of: name)!] }

    private func say(_ name: String, _ message: TicketMessage) throws {
        guard try session(name).isEstablished() else { return }
        let bytes = try session(name).send(cx: room.cx, payload: writeTicketMessage(message: message)).bytes
        try room.carry("operator", Data(name.utf8), bytes)
    }

    /// The serial of the credential that a device has shown.
    func shownBy(_ name: String) throws -> UInt32? { try session(name).peer().credential?.claims().serial }

    private func poll(_ cx: Cx) throws -> Output {
        let polled = try hub.poll(cx: cx)
        if case .happened(let event) = polled.output, let place = polled.place {
            switch event {
            case .established, .resumed: up.append(names[Int(place)])
            default: break
            }
        }
        return polled.output
    }

    private func input(_ cx: Cx, _ from: Data, _ datagram: Data) throws -> Received? {
        if let got = try hub.handleInput(cx: cx, from: from, datagram: datagram) {
            heard.append((names[Int(got.place)], got.received.payload))
        }
        return nil
    }
}

/// A device's program: it keeps its credential new.
final class Appliance {
    private let (room, its): (Room, Enrolled)
    private let hasClock: Bool
    private let session: Noninteractive
    private var heard: [Data] = []
    private var now: UInt64? { hasClock ? room.seconds : nil }

    init(_ room: Room, _ its: Enrolled, hasClock: Bool) throws {
        (self.room, self.its, self.hasClock) = (room, its, hasClock)
        session = try its.with("operator", 1)
        room.enter(
            its.name,
            Room.Member(
                poll: { [unowned self] in try session.poll(cx: seen($0)) }, input: { [unowned self] in try input($0, $1, $2) },
                timeout: { [unowned self] in try session.handleTimeout(cx: seen($0)) }))
        try comeUp()
    }

    private func seen(_ cx: Cx) -> Cx { hasClock ? cx : Cx(now: cx.now, wall: nil) }

    /// A handshake: it shows the credential that it has now.
    func comeUp() throws { try session.connect(cx: seen(room.cx), to: Data("operator".utf8)) }

    /// Asks when it is time, and again while there is no answer: now and then, and when a session comes up.
    func look() throws {
        let isDue = try now.map { try $0 >= its.holder.dueAt(lead: 10 * day) } ?? false
        if try isDue || its.holder.isAsking() { try ask() }
    }

    private func ask() throws {
        try its.holder.ask(device: its.device)
        try its.save()  // what was drawn, before the request leaves
        if let request = try its.holder.request() { try say(request) }
    }

    /// Does what the operator says; whether it said anything.
    func work() throws -> Bool {
        guard !heard.isEmpty else { return false }
        do {
            switch try its.holder.handle(message: heard.removeFirst(), wall: now) {
            case .nothing: return true
            case .ask:
                try ask()
                return true
            case .next(let issued): try its.install(issued, now, 1)
            case .acknowledge: try its.save()
            }
            if let answer = try its.holder.acknowledgement() { try say(answer) }
        } catch IotkmError.Refused(let number, _) {
            try say(writeTicketMessage(message: .refusal(code: Int64(number))))
        }
        return true
    }

    private func say(_ message: Data) throws {
        try room.carry(its.name, Data("operator".utf8), session.send(cx: seen(room.cx), payload: message).bytes)
    }

    private func input(_ cx: Cx, _ from: Data, _ datagram: Data) throws -> Received? {
        if let got = try session.handleInput(cx: seen(cx), from: from, datagram: datagram) { heard.append(got.payload) }
        return nil
    }
}

func fail(_ what: String) -> Never {
    print("failed: \(what)\nrenewal: failed")
    exit(1)
}

let room = Room()
let registry = try Registry()
let lamp = try Enrolled("lamp", registry, room.seconds)
let thing = try Enrolled("switch", registry, room.seconds)
let desk = try Desk(room, registry, [lamp, thing])
let bulb = try Appliance(room, lamp, hasClock: true)
let knob = try Appliance(room, thing, hasClock: false)

func settle() throws {
    var busy = true
    while busy {
        try room.settle()
        busy = try desk.work()
        for device in [bulb, knob] { busy = try device.work() || busy }
    }
}

try settle()

// 22 days later the lamp asks by its clock. The operator's power goes once the answer is in its records: nothing comes.
_ = try room.until(22 * day) { false }
desk.hasPower = false
try bulb.look()
try settle()
guard try lamp.holder.isAsking(), try lamp.serial() == 1 else { fail("an answer that was lost") }
print("lamp waits for an answer")
try bulb.look()
try settle()
print("lamp has credential \(try lamp.serial()), and was issued \(registry.issuedTo("lamp")) in all")
guard try lamp.serial() == 4, registry.issuedTo("lamp") == 2, desk.waiting.isEmpty else { fail("the lamp's next credential") }

// 6 days more: the switch's ends in two. It has no clock, and is told.
_ = try room.until(6 * day) { false }
try desk.tell()
try settle()
print("switch has credential \(try thing.serial())")
guard try thing.serial() == 5, desk.waiting.isEmpty else { fail("the switch's next credential") }

// From the next handshake on they go by the new ones; until then the sessions went on under the old.
for device in [bulb, knob] { try device.comeUp() }
try settle()
let (first, second) = (try desk.shownBy("lamp") ?? 0, try desk.shownBy("switch") ?? 0)
print("the operator has seen credentials \(first) and \(second)")
print(first == 4 && second == 5 ? "renewal: ok" : "renewal: failed")
