import Foundation
import XCTest

@testable import Iotkm

/// Two devices with tickets, from first contact to a stolen one's end.
final class InteractiveTests: XCTestCase {
    func testFirstContactDataAndAgainWithoutTickets() throws {
        for (suite, curve) in [(Suite.suite0, Curve.x25519), (.suite2, .p256), (.suiteFfc2048, .ffc2048)] {
            let lab = try ticketLab(suite, curve)
            try lab.connect()
            let (a, b) = (lab.a.interactive!, lab.b.interactive!)
            XCTAssertTrue(try a.isEstablished() && b.isEstablished(), "\(suite)")
            XCTAssertEqual(try a.assurance()?.authenticated, .holder)
            let info = try a.peer()
            XCTAssertEqual(info.id, "bbbb")
            XCTAssertEqual(info.suite, suite)
            XCTAssertEqual(try info.ticket?.claims().serial, 2)
            try lab.say(lab.a, "hello")
            try lab.say(lab.b, "world")
            XCTAssertEqual(lab.b.text() + lab.a.text(), ["hello", "world"])
            let seen = lab.wire.count
            try b.connect(cx: cx(lab.now), to: lab.a.address)
            try lab.settle()
            XCTAssertEqual(try a.peer().generation, info.generation + 1)
            XCTAssertEqual(try a.fingerprint(), try b.fingerprint())
            XCTAssertEqual(lab.wire.count - seen, 4)
        }
    }

    func testDataGoesWithMessages3And4() throws {
        let lab = try ticketLab()
        try lab.connect()
        let (a, b) = (lab.a, lab.b)
        try a.interactive.connect(cx: cx(lab.now), to: b.address)
        for first in try lab.drain(a) { try lab.deliver(b, first) }
        let second = try XCTUnwrap(lab.drain(b).first)
        _ = try a.interactive.handleInput(cx: cx(lab.now), from: b.address, datagram: second)
        let third = try a.interactive.send(cx: cx(lab.now), payload: Data("21.5 C".utf8)).bytes
        XCTAssertEqual(third[1] >> 4, 7, "K3 stands before it")
        try lab.deliver(b, third)
        XCTAssertEqual(b.text(), ["21.5 C"])
        let fourth = try b.interactive.send(cx: cx(lab.now), payload: Data("thanks".utf8)).bytes
        XCTAssertEqual(fourth[1] >> 4, 8, "K4 stands before it")
        _ = try lab.drain(a)
        try lab.deliver(a, fourth)
        XCTAssertEqual(a.text(), ["thanks"])
    }

    func testPingAndThatNobodyAnswers() throws {
        let lab = try ticketLab()
        let (a, b) = (lab.a, lab.b)
        XCTAssertEqual(thrown { try a.interactive.ping(cx: cx(1), to: b.address) }, .NotEstablished)
        try lab.connect()
        try a.interactive.ping(cx: cx(lab.now), to: b.address)
        try lab.settle()
        XCTAssertTrue(a.events.contains(.peerAlive))
        lab.loses = { true }
        try a.interactive.ping(cx: cx(lab.now), to: b.address)
        try lab.until("no answer") { a.events.contains(.failed(stage: .ping, reason: .noAnswer)) }
        lab.loses = { false }
        try lab.say(a, "still here")
    }

    func testOverABadLink() throws {
        for seed in 1...4 {
            let lab = try ticketLab()
            let air = TestRandom(UInt64(seed))
            lab.loses = { try air.random(length: 1)[0] < 77 }
            try lab.a.interactive.connect(cx: cx(lab.now), to: lab.b.address)
            try lab.until("a session") { try lab.a.interactive.isEstablished() && lab.b.interactive.isEstablished() }
        }
    }

    func testRenewedAndRevokedWhileAssociationsLive() throws {
        let lab = try ticketLab()
        try lab.connect()
        let (a, b) = (lab.a, lab.b)
        let new = try Acme.ticket("aaaa", a.vault.keys[1]!, 9, days: 60)
        XCTAssertTrue(try a.wallet.install(ticket: new, wall: nil))
        try a.interactive.recheck(cx: cx(lab.now))
        try lab.settle()
        XCTAssertEqual(try b.interactive.peer().ticket?.bytes(), new.bytes())
        try lab.say(a, "the same session")
        _ = try a.wallet.revoke(list: Acme.list(1, [2]))
        try a.interactive.recheck(cx: cx(lab.now))
        try lab.settle()
        XCTAssertTrue(a.events.contains(.terminated))
        try b.interactive.wipe()
        try b.interactive.authenticate(cx: cx(lab.now), to: a.address)
        try lab.until("turned away") { b.events.contains { if case .failed = $0 { true } else { false } } }
        XCTAssertFalse(try a.interactive.isEstablished() || b.interactive.isEstablished())
    }

    func testATicketThatIsOverWithAClockAndWithout() throws {
        for clock in [true, false] {
            let lab = try ticketLab(days: 1)
            lab.clock = clock
            try lab.connect()
            XCTAssertTrue(try lab.a.interactive.isEstablished())
            lab.now += 2 * Acme.day * 1000
            if clock {
                try lab.a.interactive.handleTimeout(cx: lab.moment())
            } else {
                // The agent's word from two days later is all that it knows of time.
                let later = Revoked(agent: "acme", issuedAt: 1_750_000_000 + 2 * Acme.day, number: 1, serials: [])
                _ = try lab.a.wallet.revoke(list: RevocationList.issue(signer: Acme.signer, revoked: later))
                try lab.a.interactive.recheck(cx: lab.moment())
            }
            _ = try lab.drain(lab.a)
            XCTAssertTrue(lab.a.events.contains(.terminated), "\(clock): \(lab.a.events)")
            XCTAssertEqual(
                thrown { try lab.a.interactive.connect(cx: lab.moment(), to: lab.b.address) }, .NoCredential)
        }
    }

    func testAPskIsOnBothSides() throws {
        for (other, works) in [(key(9), true), (key(8), false)] {
            let lab = try ticketLab(psks: [key(9), other])
            try lab.connect()
            XCTAssertEqual(try lab.a.interactive.isEstablished() && lab.b.interactive.isEstablished(), works)
        }
    }

    func testARestartFromTheStore() throws {
        let lab = try ticketLab()
        try lab.connect()
        let a = lab.a
        let blob = try a.interactive.export(cx: cx(lab.now))
        try a.wallet.save(device: a.device, store: a.store, slot: 2)
        a.wallet = try Wallet(name: "aaaa", agent: Acme.agent)
        try a.wallet.load(device: a.device, store: a.store, slot: 2)
        try a.open(TicketPeer.restore(device: a.device, store: a.store, slot: 1))
        try a.interactive.restore(cx: cx(lab.now), blob: blob)
        try lab.settle()
        XCTAssertTrue(a.events.contains { if case .resumed = $0 { true } else { false } }, "\(a.events)")
        try lab.say(a, "back")
        // Without the session's blob the common key is still there: no tickets are shown.
        try a.open(TicketPeer.restore(device: a.device, store: a.store, slot: 1))
        let seen = lab.wire.count
        try lab.connect()
        XCTAssertTrue(try a.interactive.isEstablished())
        XCTAssertEqual(lab.wire.count - seen, 4)
        XCTAssertEqual(thrown { try TicketPeer.restore(device: lab.b.device, store: a.store, slot: 1) }, .BadBlob)
    }

    func testASlowTokenAndABrokenStore() throws {
        let lab = try ticketLab(.suite2, .p256)
        lab.a.store.broken = "worn out"
        lab.b.vault.slow = 1
        try lab.connect()
        try lab.until("the store's word") { lab.a.events.contains(.storeFailed(slot: 1, reason: "worn out")) }
        lab.a.store.broken = nil
        try lab.until("a session") { try lab.a.interactive.isEstablished() && lab.b.interactive.isEstablished() }
    }

    func testACallbackThatCallsBackGetsBusy() throws {
        let lab = try ticketLab()
        var busy: [IotkmError?] = []
        lab.a.random.hook = { busy.append(thrown { try lab.a.interactive.isEstablished() }) }
        try lab.connect()
        XCTAssertTrue(!busy.isEmpty && busy.allSatisfy { $0 == .Busy })
        XCTAssertTrue(try lab.a.interactive.isEstablished())
        lab.a.random.hook = nil
    }

    func testWhatIsRefusedChangesNothing() throws {
        let lab = try ticketLab()
        let a = lab.a
        let peer = try TicketPeer.named(slotNumber: 1, ownId: "aaaa", id: "bbbb")
        for suites in [[], [Suite.suite0Symmetric], [.suite0, .suite2], [.suite0, .suite0]] {
            XCTAssertEqual(thrown { try a.open(peer, suites) }, .BadArgument)
        }
        try a.open(peer)
        XCTAssertEqual(thrown { try a.open(peer) }, .WrongState)
        XCTAssertEqual(thrown { try TicketPeer.named(slotNumber: 1, ownId: "a", id: "a") }, .BadArgument)
        a.wallet = try Wallet(name: "aaaa", agent: Acme.agent)
        try a.open(TicketPeer.named(slotNumber: 1, ownId: "aaaa", id: "bbbb"))
        XCTAssertEqual(thrown { try a.interactive.connect(cx: cx(1), to: lab.b.address) }, .NoCredential)
        XCTAssertEqual(thrown { try a.interactive.send(cx: cx(1), payload: Data([1])) }, .NotEstablished)
        _ = try a.interactive.intoPeer()
        XCTAssertEqual(thrown { try a.interactive.isEstablished() }, .WrongState)
    }
}
