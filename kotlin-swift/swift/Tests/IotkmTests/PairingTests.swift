import Foundation
import XCTest

@testable import Iotkm

/// One side of a meeting.
final class Guest {
    let side: Side
    let pairing: Pairing

    init(_ id: String, _ seed: UInt8) throws {
        side = Side(id, seed)
        pairing = try Guest.open(id, side)
    }

    static func open(_ id: String, _ side: Side) throws -> Pairing {
        let setup = Setup(me: Data(id.utf8), suite: .suite0, pace: .ristretto255, peerSlot: 1, attemptsSlot: 2)
        return try Pairing.open(device: side.device, setup: setup, config: Config(), store: side.store)
    }

    func drain(_ now: UInt64) throws -> [Data] {
        var datagrams: [Data] = []
        while true {
            switch try pairing.poll(cx: cx(now)) {
            case .datagram(_, let bytes): datagrams.append(bytes)
            case .happened(let event): side.events.append(event)
            case .persist: XCTFail("there is a store")
            case .idle: return datagrams
            }
        }
    }
}

/// Two devices meet.
final class PairingTests: XCTestCase {
    private func meet(_ phone: Guest, _ lamp: Guest, _ ours: String, _ theirs: String) throws {
        try lamp.pairing.listen(cx: cx(1), sk: SecretBytes.opaqueString(text: theirs), windowMs: 60_000)
        try phone.pairing.start(cx: cx(1), to: lamp.side.address, sk: SecretBytes.opaqueString(text: ours))
        try settle(phone, lamp)
    }

    private func settle(_ phone: Guest, _ lamp: Guest) throws {
        while true {
            let asked = try phone.drain(1)
            for bytes in asked { try lamp.pairing.handleInput(cx: cx(1), from: phone.side.address, datagram: bytes) }
            let answered = try lamp.drain(1)
            for bytes in answered { try phone.pairing.handleInput(cx: cx(1), from: lamp.side.address, datagram: bytes) }
            if asked.isEmpty && answered.isEmpty { return }
        }
    }

    func testOneSecretMakesAPair() throws {
        let (phone, lamp) = (try Guest("phone", 11), try Guest("lamp", 22))
        // The same word, typed composed and decomposed.
        try meet(phone, lamp, "caf\u{e9} au lait", "cafe\u{301} au lait")
        let ours = try XCTUnwrap(phone.pairing.takePeer(), "\(phone.side.events)")
        let theirs = try XCTUnwrap(lamp.pairing.takePeer())
        XCTAssertEqual(try ours.info().id, Data("lamp".utf8))
        XCTAssertEqual(try ours.info().fingerprint, try theirs.info().fingerprint)
        XCTAssertNil(try phone.pairing.takePeer())
        let lab = try Lab(open: false)
        try lab.a.open(Peer.restore(device: phone.side.device, store: phone.side.store, slot: 1))
        try lab.b.open(theirs)
        try lab.connect()
        XCTAssertTrue(try lab.a.history.isEstablished())
    }

    func testAWrongSecretCountsAlsoOverARestart() throws {
        let (phone, lamp) = (try Guest("phone", 11), try Guest("lamp", 22))
        try meet(phone, lamp, "a guess", "the secret")
        XCTAssertNil(try lamp.pairing.takePeer())
        let attempts = try lamp.pairing.attempts()
        XCTAssertGreaterThan(attempts, 0)
        XCTAssertEqual(try Guest.open("lamp", lamp.side).attempts(), attempts)
    }
}
