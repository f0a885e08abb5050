// The microcert scheme: the hub of a house is an authentication centre for two meters, one of which has no clock. They are enrolled,
// authenticate themselves, send and sign readings; one gets a new key seed and loses power, the other is stolen and revoked.
//
//     kotlin-swift/generate swift && swift run --package-path examples/swift/programs Meters
//
// What a real application does otherwise: invitation and deposit go over a serial line or in a file, the key database is SQLite,
// the centre's keys lie in the Keychain, and every meter has its own program. A city's centre is `iotkm centre`.
import Foundation
import Iotkm
import Room

let there = Data("house".utf8)

/// Stands for a database: compare-and-swap by the version in a row's first four bytes.
final class Rows: SeedStore, @unchecked Sendable {
    private var rows: [Data: SeedRow] = [:]
    func get(id: Data) throws -> SeedRow? { rows[id] }
    func swap(id: Data, version: UInt32, state: Data, seed: Data?) throws -> Bool {
        let row = rows[id]
        let its = row?.state.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } ?? 0
        guard version == its + 1, let seed = seed ?? row?.seed else { return false }
        rows[id] = SeedRow(state: state, seed: seed)
        return true
    }
}

/// The hub: the centre, and its side of the sessions.
final class House {
    private let device = Device(vault: ProcessVault())
    private var sessions: [Data: Served] = [:]
    private var replies: [Output] = []
    let centre: AuthCenter

    init() throws {
        let keys = try SoftKeys(keys: SecretBytes(bytes: randomKey() + randomKey() + randomKey()))
        centre = try AuthCenter.open(device: device, id: there, keys: keys, store: Rows(), setup: CentreSetup())
    }

    func poll(_ cx: Cx) throws -> Output {
        if !replies.isEmpty { return replies.removeFirst() }
        var next: UInt64?
        for session in sessions.values {
            let output = try session.poll(cx: cx)
            guard case .idle(let wakeAt) = output else { return output }
            next = [next, wakeAt].compactMap { $0 }.min()
        }
        return .idle(wakeAt: next)
    }

    func input(_ cx: Cx, _ from: Data, _ datagram: Data) throws -> Received? {
        if let cid = centre.sessionOf(datagram: datagram) {
            return try sessions[cid]?.handleInput(cx: cx, from: from, datagram: datagram)
        }
        let handled = try centre.handleInput(cx: cx, from: from, datagram: datagram)
        if let reply = handled.reply { replies.append(.datagram(to: from, bytes: reply)) }
        if let id = handled.id, let event = handled.event { print("house: \(String(decoding: id, as: UTF8.self)): \(event)") }
        if let granted = handled.session {
            sessions = try sessions.filter { try $0.value.id() != granted.id() }
            sessions[granted.cid()] = try Served.open(device: device, accepted: granted, config: Config())
        }
        return nil
    }

    func timeout(_ cx: Cx) throws {
        for session in sessions.values { try session.handleTimeout(cx: cx) }
    }
}

/// A meter.
final class Meter {
    private let room: Room
    private let name: String
    private let device = Device(vault: ProcessVault())
    private let store = MemoryStore()
    let id: Data
    private(set) var own: Microcert

    init(_ room: Room, _ name: String, _ house: House, clockless: Bool) throws {
        (self.room, self.name, id) = (room, name, Data(name.utf8))
        // On the bench: the invitation holds the transport key, so it comes over a wire and is erased; the deposit goes back.
        var invitation = try house.centre.invite(cx: room.cx, id: id, suite: .suite0Symmetric, clockless: clockless)
        let chip = try Chip.enrol(device: device, seedSlot: 1, stateSlot: 2, invitation: invitation)
        invitation.resetBytes(in: 0..<invitation.count)
        try chip.save(device: device, store: store)
        try chip.confirm(confirmation: house.centre.enrol(cx: room.cx, deposit: chip.deposit()).confirmation)
        try chip.save(device: device, store: store)
        own = try Microcert.open(device: device, chip: chip, config: Config(), store: store)
        enter()
    }

    /// From what is stored: power has come.
    func start() throws {
        let chip = try Chip.restore(device: device, store: store, seedSlot: 1, stateSlot: 2)
        own = try Microcert.open(device: device, chip: chip, config: Config(), store: store)
        enter()
    }

    private func enter() {
        let own = own
        room.enter(
            name,
            Room.Member(
                poll: { try own.poll(cx: $0) }, input: { try own.handleInput(cx: $0, from: $1, datagram: $2) },
                timeout: { try own.handleTimeout(cx: $0) }))
    }

    /// How many datagrams it took.
    @discardableResult
    func authenticate() throws -> Int {
        let before = room.datagrams
        try own.authenticate(cx: room.cx, to: there)
        try room.settle()
        return room.datagrams - before
    }

    func say(_ text: String) throws {
        try room.carry(name, there, own.send(cx: room.cx, payload: Data(text.utf8)).bytes)
        try room.settle()
    }

    func sign(_ data: Data) throws -> Data {
        do {
            return try own.sign(cx: room.cx, data: data)
        } catch IotkmError.Undrained {
            try room.settle() // a counter is reserved first: it must be stored
            return try own.sign(cx: room.cx, data: data)
        }
    }
}

func fail(_ what: String) -> Never {
    print("failed: \(what)\nmeters: failed")
    exit(1)
}

let room = Room()
let house = try House()
let middle = Room.Member(
    poll: { try house.poll($0) }, input: { try house.input($0, $1, $2) }, timeout: { try house.timeout($0) })
room.enter("house", middle)
let kitchen = try Meter(room, "kitchen", house, clockless: false)
let cellar = try Meter(room, "cellar", house, clockless: true)

// A clock saves two of four messages.
let datagrams = [try kitchen.authenticate(), try cellar.authenticate()]
print("datagrams with a clock and without: \(datagrams)")
guard datagrams == [2, 4] else { fail("authentication") }

// A session, under the key that the authentication gave.
try kitchen.own.connect(cx: room.cx, to: there)
try room.settle()
try kitchen.say("4.2 kWh")
guard middle.received == ["4.2 kWh"] else { fail("data") }

// A signed reading, brought by somebody who walked by.
let reading = Data("cellar, 0.9 m3".utf8)
let signature = try cellar.sign(reading)
guard let signed = try house.centre.verify(signature: signature, data: reading), signed.id == cellar.id else { fail("signature") }
print("\(signature.count) bytes: signed by \(String(decoding: signed.id, as: UTF8.self))")
guard try house.centre.verify(signature: signature, data: Data("cellar, 0.1 m3".utf8)) == nil else { fail("forgery") }

// A new seed; then the power goes.
try house.centre.update(id: kitchen.id)
try kitchen.authenticate()
try kitchen.start()
try kitchen.authenticate()
let chip = try kitchen.own.chip()
print("kitchen has seed \(chip.generation), for the years to \(chip.lastYear)")
guard chip.generation == 1, try house.centre.device(id: kitchen.id)?.generation == 1 else { fail("update") }

// The cellar's meter is stolen. As soon as it comes, it is told to kill its seed; what it signed verifies no more.
try house.centre.revoke(id: cellar.id)
try cellar.authenticate()
guard try cellar.own.chip().revoked, try house.centre.device(id: cellar.id)?.standing == .killed else { fail("revocation") }
guard try house.centre.verify(signature: signature, data: reading) == nil else { fail("a revoked device's signature") }
print("the cellar's meter is revoked\nmeters: ok")
