// An authentication centre and devices of its own in one process, for the tests.
import Foundation
import XCTest

@testable import Iotkm

/// A key database in memory, which can be broken, and put back.
final class TestRows: SeedStore, @unchecked Sendable {
    var rows: [Data: SeedRow] = [:]
    var broken: String?
    private func check() throws { if let broken { throw CallbackError.Failed(reason: broken) } }
    func get(id: Data) throws -> SeedRow? {
        try check()
        return rows[id]
    }
    func swap(id: Data, version: UInt32, state: Data, seed: Data?) throws -> Bool {
        try check()
        let there = rows[id]
        guard version == 1 + (there.map { $0.state.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } } ?? 0) else { return false }
        rows[id] = SeedRow(state: state, seed: seed ?? there!.seed)
        return true
    }
}

/// The centre.
final class House {
    static let address = Data("house".utf8)
    let device = Device(vault: TestVault(77), random: TestRandom(77))
    let rows = TestRows()
    let centre: AuthCenter
    var now: UInt64 = 1_000
    /// 2026-02-20
    let wall: UInt64 = 1_771_549_600_000
    var events: [CentreEvent] = []
    var sessions: [Data: Served] = [:]
    var received: [String] = []

    init() throws {
        let keys = try SoftKeys(keys: SecretBytes(bytes: Data(0..<96)))
        centre = try AuthCenter.open(device: device, id: House.address, keys: keys, store: rows, setup: CentreSetup())
    }

    var cx: Cx { Cx(now: now, wall: wall + now) }
    var seconds: UInt64 { (wall + now) / 1000 }

    func pass(_ seconds: UInt64) { now += seconds * 1000 }

    func invite(_ name: String, _ suite: Suite = .suite0Symmetric, clockless: Bool = false) throws -> Data {
        try centre.invite(cx: cx, id: Data(name.utf8), suite: suite, clockless: clockless)
    }

    func row(_ name: String) throws -> DeviceInfo { try centre.device(id: Data(name.utf8))! }

    /// Takes in a datagram of this device's; what goes back.
    func hear(_ from: String, _ datagram: Data) throws -> [Data] {
        if let cid = centre.sessionOf(datagram: datagram) {
            guard let session = sessions[cid] else { return [] }
            if let got = try session.handleInput(cx: cx, from: Data(from.utf8), datagram: datagram) {
                received.append(String(decoding: got.payload, as: UTF8.self))
            }
            return try said(session)
        }
        let handled = try centre.handleInput(cx: cx, from: Data(from.utf8), datagram: datagram)
        if let event = handled.event { events.append(event) }
        var back = handled.reply.map { [$0] } ?? []
        if let accepted = handled.session {
            let session = try Served.open(device: device, accepted: accepted, config: Config())
            sessions[accepted.cid()] = session
            back += try said(session)
        }
        return back
    }

    private func said(_ session: Served) throws -> [Data] {
        var datagrams: [Data] = []
        while true {
            switch try session.poll(cx: cx) {
            case .datagram(_, let bytes): datagrams.append(bytes)
            case .idle: return datagrams
            default: break
            }
        }
    }
}

/// A device of the house's.
final class Meter {
    let house: House
    let name: String
    let device: Device
    let store = TestStore()
    var own: Microcert!
    /// How many seconds its clock is ahead; none: it has no clock.
    var clock: Int64? = 0
    var events: [Event] = []
    var wire: [Data] = []
    var loses: () -> Bool = { false }

    init(_ house: House, _ name: String, _ suite: Suite = .suite0Symmetric, clockless: Bool = false) throws {
        (self.house, self.name) = (house, name)
        device = Device(vault: TestVault(UInt8(name.utf8.count + 30)), random: TestRandom(UInt64(name.utf8.count)))
        let invitation = try house.invite(name, suite, clockless: clockless)
        let chip = try Chip.enrol(device: device, seedSlot: 1, stateSlot: 2, invitation: invitation)
        let enrolled = try house.centre.enrol(cx: house.cx, deposit: chip.deposit())
        XCTAssertEqual(enrolled.id, Data(name.utf8))
        try chip.confirm(confirmation: enrolled.confirmation)
        own = try Microcert.open(device: device, chip: chip, config: Config(), store: store)
        _ = try drain()
    }

    var cx: Cx { Cx(now: house.now, wall: clock.map { UInt64(Int64(house.wall + house.now) + $0 * 1000) }) }

    func reboot() throws {
        let chip = try Chip.restore(device: device, store: store, seedSlot: 1, stateSlot: 2)
        own = try Microcert.open(device: device, chip: chip, config: Config(), store: store)
        _ = try drain()
    }

    func drain() throws -> [Data] {
        var datagrams: [Data] = []
        while true {
            switch try own.poll(cx: cx) {
            case .datagram(_, let bytes): datagrams.append(bytes)
            case .happened(let event): events.append(event)
            case .persist: XCTFail("there is a store")
            case .idle: return datagrams
            }
        }
    }

    /// Carries datagrams to and fro until nobody has any.
    func talk() throws {
        var said = try drain()
        while !said.isEmpty {
            let datagram = said.removeFirst()
            wire.append(datagram)
            if loses() { continue }
            for reply in try house.hear(name, datagram) {
                wire.append(reply)
                if !loses() { _ = try own.handleInput(cx: cx, from: House.address, datagram: reply) }
                said += try drain()
            }
        }
    }

    func authenticate() throws -> [Event] {
        events = []
        try own.authenticate(cx: cx, to: House.address)
        try talk()
        return events
    }

    func connect() throws -> [Event] {
        events = []
        try own.connect(cx: cx, to: House.address)
        try talk()
        return events
    }

    /// Lets this many seconds pass.
    func wait(_ seconds: Int) throws {
        for _ in 0..<seconds {
            house.pass(1)
            try own.handleTimeout(cx: cx)
            try talk()
        }
    }
}
