import Foundation
import XCTest

@testable import Iotkm

/// Two devices with credentials: issue, one handshake, epochs without messages.
final class NoninteractiveTests: XCTestCase {
    private func up(_ lab: Lab) throws {
        try lab.connect()
        try lab.until("a session") { try lab.a.noninteractive.isEstablished() && lab.b.noninteractive.isEstablished() }
    }

    /// Lets this much time pass; these sides do what is due.
    private func pass(_ lab: Lab, _ seconds: UInt64, _ sides: [Side]) throws {
        let end = lab.now + seconds * 1000
        while true {
            for side in sides { for datagram in try lab.drain(side) { try lab.deliver(lab.other(side), datagram) } }
            guard let next = sides.compactMap({ $0.wakeAt }).min(), next <= end else { break }
            lab.now = max(lab.now, next)
            for side in sides where side.wakeAt.map({ $0 <= lab.now }) ?? false {
                try side.talks.handleTimeout(cx: cx(lab.now))
            }
        }
        lab.now = end
    }

    func testOneHandshakeThenEpochsWithoutAMessage() throws {
        for suite in [Suite.suite0, .suite2, .suiteFfc2048] {
            let lab = try credentialLab(suite)
            try up(lab)
            let (a, b) = (lab.a.noninteractive!, lab.b.noninteractive!)
            XCTAssertEqual(try a.assurance()?.authenticated, .holder)
            XCTAssertEqual(try a.peer().credential?.bytes(), try lab.b.holder.credential()?.bytes())
            try lab.say(lab.a, "hello")
            try lab.say(lab.b, "world")
            XCTAssertEqual(lab.b.text() + lab.a.text(), ["hello", "world"])
            let sent = lab.wire.count
            try pass(lab, 240, [lab.a, lab.b])
            XCTAssertEqual(lab.wire.count, sent, "nothing is said for it")
            XCTAssertEqual(try a.epoch(), 5)
            XCTAssertEqual(try b.epoch(), 5)
            XCTAssertTrue(lab.a.events.contains(.rekeyed(generation: 5)), "\(lab.a.events)")
            try lab.say(lab.a, "in epoch 5")
        }
    }

    func testOneThatLagsAndTheLastEpoch() throws {
        let lab = try credentialLab()
        try up(lab)
        let (a, b) = (lab.a, lab.b)
        try pass(lab, 200, [a])
        XCTAssertEqual(try a.noninteractive.epoch(), 4)
        XCTAssertEqual(try b.noninteractive.epoch(), 1)
        let early = try a.noninteractive.send(cx: cx(lab.now), payload: Data("too early".utf8))
        try lab.deliver(b, early.bytes)
        try lab.until("the same epoch") { try b.noninteractive.epoch() == a.noninteractive.epoch() }
        try lab.say(a, "together again")
        try pass(lab, 600, [a, b])
        XCTAssertTrue(a.events.contains(.rekeyNeeded) && a.events.contains(.terminated), "\(a.events)")
        try up(lab)
        try lab.say(b, "a new handshake")
    }

    func testARestartGoesOnFromTheStore() throws {
        let lab = try credentialLab()
        try up(lab)
        let a = lab.a
        try a.holder.save(device: a.device, store: a.store, slot: 2)
        a.holder = try Holder(name: "aaaa", operator: Office().operator)
        try a.holder.load(device: a.device, store: a.store, slot: 2)
        try a.open(CredentialPeer.restore(device: a.device, suite: .suite0, store: a.store, slot: 1))
        try a.noninteractive.goOn(cx: cx(lab.now))
        try lab.until("resumed") { a.events.contains { if case .resumed = $0 { true } else { false } } }
        try lab.say(a, "back")
        XCTAssertEqual(lab.b.text(), ["back"])
        XCTAssertEqual(
            thrown { try CredentialPeer.restore(device: lab.b.device, suite: .suite0, store: a.store, slot: 1) }, .BadBlob)
    }

    func testOverABadLink() throws {
        for seed in 1...4 {
            let lab = try credentialLab()
            let air = TestRandom(UInt64(seed))
            lab.loses = { try air.random(length: 1)[0] < 77 }
            try up(lab)
        }
    }

    func testARevokedDeviceIsTurnedAway() throws {
        let lab = try credentialLab()
        try up(lab)
        let (a, b) = (lab.a, lab.b)
        _ = try a.holder.revoke(list: Acme.list(1, [XCTUnwrap(b.holder.credential()).claims().serial]))
        try a.noninteractive.recheck(cx: cx(lab.now))
        try lab.settle()
        XCTAssertTrue(a.events.contains(.terminated))
        try b.noninteractive.wipe()
        try b.noninteractive.connect(cx: cx(lab.now), to: a.address)
        try lab.until("turned away") { b.events.contains { if case .failed = $0 { true } else { false } } }
        XCTAssertFalse(try a.noninteractive.isEstablished() || b.noninteractive.isEstablished())
    }

    func testASlowTokenABrokenStoreAndAPsk() throws {
        for (other, works) in [(key(9), true), (key(8), false)] {
            let lab = try credentialLab(.suite2, psks: [key(9), other])
            lab.b.vault.slow = 1
            lab.a.store.broken = "worn out"
            try lab.connect()
            lab.a.store.broken = nil
            if works { try lab.until("a session") { try lab.a.noninteractive.isEstablished() && lab.b.noninteractive.isEstablished() } }
            XCTAssertEqual(try lab.a.noninteractive.isEstablished() && lab.b.noninteractive.isEstablished(), works)
        }
    }

    func testSplitAndPrintedIssue() throws {
        let office = try Office(.suite2)
        let side = Side("a", 3)
        side.holder = try Holder(name: "lamp", operator: office.operator)
        let asked = try CredentialRequest(device: side.device, suite: .suite2, name: "lamp")
        let again = try CredentialRequest.restore(
            device: side.device, suite: .suite2, name: "lamp", blob: asked.seal(device: side.device))
        XCTAssertEqual(asked.request(), again.request())
        let (now, wall) = (UInt32(1_750_000_000), UInt64(1_750_000_000))
        let answer = try office.key.issue(
            device: office.device, agent: office.numbers, request: asked.request(), now: now, life: 24)
        let issued = try side.holder.accept(asked: again, answer: answer, wall: wall)
        XCTAssertEqual(try issued.key.publicKey(), try credentialKey(operator: office.operator, credential: issued.credential))
        XCTAssertEqual(try issued.credential.claims().expires, wall + 86_400)
        try side.holder.install(credential: issued.credential, wall: wall)
        XCTAssertTrue(try side.holder.needsStore())
        let other = try CredentialRequest(device: side.device, suite: .suite2, name: "lamp")
        XCTAssertEqual(
            thrown { try side.holder.accept(asked: other, answer: answer, wall: wall) }?.code(), -208)
        let printed = try office.key.issuePrintedKnowingThePrivateKey(
            device: office.device, agent: office.numbers, name: "plug", now: now, life: 24)
        try Holder(name: "plug", operator: office.operator).check(credential: printed.credential, key: printed.key, wall: wall)
        XCTAssertEqual(
            thrown {
                try office.key.issue(
                    device: office.device, agent: TicketAgent(name: "acme"), request: asked.request(), now: now, life: 24)
            }, .WrongState)
    }

    func testTheNextCredentialOverTheAssociationWithTheOperator() throws {
        let office = try Office()
        let lab = try credentialLab(office, CredentialSetup(interval: 60, length: 10, key: 1, nextKey: 2))
        try up(lab)
        let (a, b, now) = (lab.a, lab.b, Acme.issued + 1000)
        func heard(_ by: Side) throws -> Data { try XCTUnwrap(by.received.popLast()).payload }
        func say(_ message: TicketMessage) throws -> Told {
            try lab.say(a, writeTicketMessage(message: message))
            return try b.holder.handle(message: heard(b), wall: now)
        }
        let first = try XCTUnwrap(b.holder.credential())
        let its = try Operator(capacity: 10, lead: 3_600_000, retry: 60)
        try its.knowsCredential(credential: first)
        XCTAssertEqual(try b.holder.dueAt(lead: .max), try first.claims().expires - 500 * 3600, "half its life")
        XCTAssertEqual(try its.ask(now: now), "bbbb")

        // It is told, draws, stores, and asks the same as often as it takes, also after a restart.
        guard case .ask = try say(.credentialDue) else { return XCTFail("it is told to ask") }
        try b.holder.ask(device: b.device)
        XCTAssertTrue(try b.holder.isAsking() && b.holder.needsStore())
        XCTAssertNil(try b.holder.request(), "not before it is stored")
        try b.holder.save(device: b.device, store: b.store, slot: 2)
        let message = try XCTUnwrap(b.holder.request())
        let again = try Holder(name: "bbbb", operator: office.operator)
        try again.load(device: b.device, store: b.store, slot: 2)
        XCTAssertEqual(try again.request(), message)
        try lab.say(b, message)
        guard case .credentialAsked(let request) = try readTicketMessage(bytes: heard(a)) else { return XCTFail("a request") }
        XCTAssertEqual(try requestedDevice(suite: .suite0, request: request), "bbbb")
        let answer = try office.key.issue(
            device: office.device, agent: office.numbers, request: request, now: UInt32(now), life: 1000)
        let next = try Credential(suite: .suite0, bytes: answer.dropLast(32))
        try its.issuedCredential(credential: next)
        XCTAssertEqual(try its.waitingFor(device: "bbbb"), next.reference())

        // The key first, then the credential; nothing is said before it is stored, and again when it comes again.
        guard case .next(let issued) = try say(.credentialAnswer(answer: answer)) else { return XCTFail("the answer") }
        b.vault.keys[2] = issued.key
        try b.holder.install(credential: issued.credential, wall: now)
        XCTAssertNil(try b.holder.acknowledgement())
        try b.holder.save(device: b.device, store: b.store, slot: 2)
        guard case .acknowledge = try say(.credentialAnswer(answer: answer)) else { return XCTFail("again") }
        try lab.say(b, XCTUnwrap(b.holder.acknowledgement()))
        XCTAssertTrue(try its.handle(device: "bbbb", message: heard(a)))
        try b.noninteractive.recheck(cx: cx(lab.now))
        try lab.say(b, "the same session")
        try b.noninteractive.wipe()
        try b.noninteractive.connect(cx: cx(lab.now), to: a.address)
        try lab.until("a session under the new one") {
            try b.noninteractive.isEstablished() && a.noninteractive.peer().credential?.bytes() == next.bytes()
        }
        guard case .nothing = try say(.refusal(code: -1)) else { return XCTFail("nothing") }
    }

    func testWhatIsRefusedChangesNothing() throws {
        let lab = try credentialLab()
        let a = lab.a
        let peer = try CredentialPeer.named(suite: .suite0, slotNumber: 1, ownId: "aaaa", id: "bbbb")
        XCTAssertEqual(thrown { try a.open(peer, CredentialSetup(interval: 0)) }, .BadArgument)
        let other = try CredentialPeer.named(suite: .suite2, slotNumber: 1, ownId: "aaaa", id: "bbbb")
        XCTAssertEqual(thrown { try a.open(other) }, .BadArgument)
        try a.open(peer)
        XCTAssertEqual(thrown { try a.open(peer) }, .WrongState)
        XCTAssertEqual(thrown { try a.noninteractive.goOn(cx: cx(1)) }, .NotEstablished)
        a.holder = try Holder(name: "aaaa", operator: Office().operator)
        try a.open(CredentialPeer.named(suite: .suite0, slotNumber: 1, ownId: "aaaa", id: "bbbb"))
        XCTAssertEqual(thrown { try a.noninteractive.connect(cx: cx(1), to: lab.b.address) }, .NoCredential)
    }
}
