// Two devices in one process, for the tests: a network that loses nothing, a clock that stands still.
import Foundation
import XCTest

@testable import Iotkm

let here = "bench 4"

func cx(_ now: UInt64) -> Cx {
    Cx(now: now, wall: 1_750_000_000_000 + now, place: Data(here.utf8))
}

/// A vault with a fixed secret, which can be locked.
final class TestVault: KeyVault, @unchecked Sendable {
    let fill: UInt8
    var locked = false
    var asked = 0
    init(_ fill: UInt8) { self.fill = fill }
    func deviceSecret() throws -> Data {
        asked += 1
        if locked { throw CallbackError.Failed(reason: "the screen is locked") }
        return Data(repeating: fill, count: 32)
    }
}

/// A vault with static keys, which may be slow.
final class KeyedVault: KeyVault, @unchecked Sendable {
    var keys: [UInt16: StaticKey] = [:]
    var slow = 0
    func deviceSecret() throws -> Data { Data(repeating: 5, count: 32) }
    private func find(_ key: UInt16, _ curve: Curve) throws -> StaticKey? {
        if slow > 0 {
            slow -= 1
            throw CallbackError.Pending
        }
        return keys[key].flatMap { $0.curve() == curve ? $0 : nil }
    }
    func publicKey(key: UInt16, curve: Curve) throws -> Data? { try find(key, curve)?.publicKey() }
    func agree(key: UInt16, curve: Curve, share: Data) throws -> Data? { try find(key, curve)?.agree(share: share) }
}

/// A store in memory, which can be broken.
final class TestStore: BlobStore, @unchecked Sendable {
    var slots: [UInt16: Stored] = [:]
    var broken: String?
    var writes = 0
    private func check() throws { if let broken { throw CallbackError.Failed(reason: broken) } }
    func read(slot: UInt16) throws -> Stored? {
        try check()
        return slots[slot]
    }
    func write(slot: UInt16, version: UInt32, bytes: Data) throws {
        try check()
        writes += 1
        slots[slot] = Stored(bytes: bytes, floor: version)
    }
    func erase(slot: UInt16) throws {
        try check()
        slots[slot] = nil
    }
}

/// Repeatable randomness; never for use.
final class TestRandom: RandomSource, @unchecked Sendable {
    var state: UInt64
    var broken = false
    var hook: (() throws -> Void)?
    init(_ seed: UInt64) { state = seed }
    func random(length: UInt32) throws -> Data {
        try hook?()
        if broken { throw CallbackError.Failed(reason: "the generator is too cold") }
        return Data((0..<length).map { _ in
            state = state &* 6364136223846793005 &+ 1442695040888963407
            return UInt8(truncatingIfNeeded: state >> 56)
        })
    }
}

/// One side: its association and what happened to it.
final class Side {
    let address: Data
    let random: TestRandom
    let vault: TestVault
    let device: Device
    let store = TestStore()
    var history: History!
    var events: [Event] = []
    var received: [Received] = []
    var wakeAt: UInt64?

    init(_ address: String, _ seed: UInt8) {
        self.address = Data(address.utf8)
        random = TestRandom(UInt64(seed))
        vault = TestVault(seed)
        device = Device(vault: vault, random: random)
    }

    func text() -> [String] { received.map { String(decoding: $0.payload, as: UTF8.self) } }

    func open(_ peer: Peer, _ suite: Suite = .suite0) throws {
        history = try History.open(device: device, peer: peer, suite: suite, config: Config(), store: store)
    }
}

func key(_ fill: UInt8) -> SecretBytes { SecretBytes(bytes: Data(repeating: fill, count: 32)) }

func provisioned(_ me: String, _ peer: String, _ suite: Suite = .suite0) throws -> Peer {
    try Peer.provisioned(
        slotNumber: 1, me: Data(me.utf8), peer: Data(peer.utf8), suite: suite, sk: key(1), t: key(2), li: key(3))
}

/// Both sides and the air between them.
final class Lab {
    let a = Side("a", 11)
    let b = Side("b", 22)
    var now: UInt64 = 1_000
    var wire: [Data] = []

    init(_ suite: Suite = .suite0, open: Bool = true) throws {
        if open {
            try a.open(provisioned("aaaa", "bbbb", suite), suite)
            try b.open(provisioned("bbbb", "aaaa", suite), suite)
        }
    }

    func other(_ side: Side) -> Side { side === a ? b : a }

    func drain(_ side: Side) throws -> [Data] {
        var datagrams: [Data] = []
        while true {
            switch try side.history.poll(cx: cx(now)) {
            case .datagram(_, let bytes): datagrams.append(bytes)
            case .happened(let event): side.events.append(event)
            case .persist: XCTFail("there is a store")
            case .idle(let wakeAt):
                side.wakeAt = wakeAt
                return datagrams
            }
        }
    }

    func deliver(_ to: Side, _ datagram: Data) throws {
        wire.append(datagram)
        if let received = try to.history.handleInput(cx: cx(now), from: other(to).address, datagram: datagram) {
            to.received.append(received)
        }
    }

    /// Carries datagrams to and fro until nobody has any.
    func settle() throws {
        var said = true
        while said {
            said = false
            for side in [a, b] {
                for datagram in try drain(side) {
                    said = true
                    try deliver(other(side), datagram)
                    for answer in try drain(other(side)) { try deliver(side, answer) }
                }
            }
        }
    }

    func connect() throws {
        try a.history.connect(cx: cx(now), to: b.address)
        try settle()
    }

    func say(_ from: Side, _ text: String) throws {
        let sent = try from.history.send(cx: cx(now), payload: Data(text.utf8))
        XCTAssertEqual(sent.to, other(from).address)
        try deliver(other(from), sent.bytes)
        try settle()
    }
}

/// The error that `call` throws.
func thrown<T>(_ call: () throws -> T, file: StaticString = #filePath, line: UInt = #line) -> IotkmError? {
    do {
        _ = try call()
        XCTFail("nothing was thrown", file: file, line: line)
        return nil
    } catch {
        if let error = error as? IotkmError { return error }
        XCTFail("\(error)", file: file, line: line)
        return nil
    }
}
