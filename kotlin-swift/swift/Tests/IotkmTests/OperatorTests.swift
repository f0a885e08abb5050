import Foundation
import XCTest

@testable import Iotkm

private let now: UInt64 = 1_750_000_000  // what cx says
private let day = Acme.day

/// A token that signs as a test wants it.
private final class Token: Signer, @unchecked Sendable {
    var how: (Data) throws -> Data
    init(_ how: @escaping (Data) throws -> Data) { self.how = how }
    func sign(message: Data) throws -> Data { try how(message) }
}

/// Those who see to tickets: the agent that numbers them, the operator that has them renewed over associations.
final class OperatorTests: XCTestCase {
    private let desk = Device(vault: TestVault(9), random: TestRandom(9))
    private let store = TestStore()

    private func agent() throws -> TicketAgent {
        let agent = try TicketAgent(name: "acme")
        try agent.save(device: desk, store: store, slot: 1)
        return agent
    }

    private func wanted(_ name: String, _ lifetime: UInt64 = 30 * day) -> TicketRequest {
        TicketRequest(device: name, curve: .x25519, key: Data(repeating: 9, count: 32), lifetime: lifetime)
    }

    private func issue(_ agent: TicketAgent, _ request: TicketRequest, _ at: UInt64 = now) throws -> Ticket {
        try agent.issue(signer: Acme.signer, request: request, now: at)
    }

    func testAnAgentGivesNoNumberTwice() throws {
        let agent = try TicketAgent(name: "acme")
        XCTAssertEqual(thrown { try issue(agent, wanted("lamp")) }, .WrongState)
        store.broken = "worn out"
        XCTAssertEqual(thrown { try agent.save(device: desk, store: store, slot: 1) }?.code(), -104)
        XCTAssertEqual(thrown { try issue(agent, wanted("lamp")) }, .WrongState)
        store.broken = nil
        try agent.save(device: desk, store: store, slot: 1)
        let claims = try Ticket.verify(bytes: issue(agent, wanted("lamp", 60)).bytes(), agent: Acme.agent).claims()
        XCTAssertEqual([UInt64(claims.serial), claims.issuedAt, claims.expires], [1, now, now + 60])
        XCTAssertEqual(thrown { try issue(agent, wanted("lamp", .max)) }?.code(), -204)
        XCTAssertEqual(try issue(agent, wanted("lamp")).claims().serial, 2)
        let list = try agent.revoke(signer: Acme.signer, serials: [1, 2], now: now)
        XCTAssertEqual(
            try RevocationList.verify(bytes: list.bytes(), agent: Acme.agent).revoked(),
            Revoked(agent: "acme", issuedAt: now, number: 1, serials: [1, 2]))
        // The power fails: it goes on behind what was reserved.
        let again = try TicketAgent.restore(device: desk, store: store, slot: 1)
        XCTAssertEqual(thrown { try issue(again, wanted("lamp")) }, .WrongState)
        try again.save(device: desk, store: store, slot: 1)
        XCTAssertEqual(try issue(again, wanted("lamp")).claims().serial, 257)
        XCTAssertEqual("\(again)", "TicketAgent(acme)")
        let numbered = try TicketAgent.withNumber(name: "acme", serial: 700)
        XCTAssertEqual(try issue(numbered, wanted("lamp")).claims().serial, 700)
        XCTAssertEqual(thrown { try issue(numbered, wanted("lamp")) }, .WrongState)
    }

    func testAnAgentsKeyElsewhere() throws {
        for algorithm in [Algorithm.edDsa, .es256] {
            let inside = try SigningKey(algorithm: algorithm, secret: key(7))
            let token = Token { try inside.sign(message: $0) }
            let own = try SigningKey.external(algorithm: algorithm, key: inside.publicKey(), signer: token)
            let agent = try agent()
            let ticket = try agent.issue(signer: own, request: wanted("lamp"), now: now)
            _ = try Ticket.verify(bytes: ticket.bytes(), agent: own.agent(name: "acme"))
            // It fails, is slow, signs under another key, or gives half of it: no number is used up.
            let other = try SigningKey(algorithm: algorithm, secret: key(8))
            let failing: [(Data) throws -> Data] = [
                { _ in throw CallbackError.Failed(reason: "the token is gone") }, { _ in throw CallbackError.Pending },
                { try other.sign(message: $0) }, { try inside.sign(message: $0).dropLast() },
            ]
            for how in failing {
                token.how = how
                XCTAssertEqual(thrown { try agent.issue(signer: own, request: wanted("lamp"), now: now) }?.code(), -111)
            }
            var seen: IotkmError?
            token.how = {
                seen = thrown { try agent.name() }
                return try inside.sign(message: $0)
            }
            XCTAssertEqual(try agent.issue(signer: own, request: wanted("lamp"), now: now).claims().serial, 2)
            XCTAssertEqual(seen, .Busy)
        }
        XCTAssertEqual(thrown { try SigningKey(algorithm: .es256, secret: key(0)) }, .BadArgument)
    }

    /// The operator a sends what waits for b, whose wallet takes it in, stores it and says so; whether that arrived.
    private func push(_ lab: Lab, _ its: Operator, _ ticket: Ticket) throws -> Bool {
        let (a, b) = (lab.a, lab.b)
        try lab.say(a, writeTicketMessage(message: .ticket(ticket: ticket)))
        guard let message = b.received.popLast() else { return false }
        XCTAssertTrue(try b.wallet.handle(message: message.payload, wall: now))
        XCTAssertNil(try b.wallet.acknowledgement(), "nothing is said before it is stored")
        try b.wallet.save(device: b.device, store: b.store, slot: 2)
        try lab.say(b, XCTUnwrap(b.wallet.acknowledgement()))
        try b.interactive.recheck(cx: cx(lab.now))
        try lab.settle()
        return try its.handle(device: "bbbb", message: XCTUnwrap(a.received.popLast()).payload)
    }

    func testRenewedAndRevokedOverAnAssociationAndADeviceThatIsAway() throws {
        let lab = try ticketLab()
        try lab.connect()
        let (a, b) = (lab.a, lab.b)
        let agent = try agent()
        let its = try Operator(capacity: 10, lead: 31 * day, retry: day)
        try its.knows(ticket: XCTUnwrap(b.wallet.ticket(wall: now)))
        func renew(_ lifetime: UInt64) throws -> Ticket {
            XCTAssertEqual(try its.ask(now: now), "bbbb")
            let key = b.vault.keys[1]!
            let request = TicketRequest(device: "bbbb", curve: key.curve(), key: try key.publicKey(), lifetime: lifetime)
            let ticket = try issue(agent, request)
            try its.issued(ticket: Ticket.verify(bytes: ticket.bytes(), agent: Acme.agent))
            return ticket
        }
        let next = try renew(31 * day)
        XCTAssertTrue(try push(lab, its, next))
        XCTAssertNil(try its.waitingFor(device: "bbbb"))
        XCTAssertEqual(try a.interactive.peer().ticket?.bytes(), next.bytes(), "and shown to the peer")

        // Away: nothing arrives, and it still waits. Back, with a new session, it gets it.
        let second = try renew(32 * day)
        lab.loses = { true }
        XCTAssertFalse(try push(lab, its, second))
        XCTAssertEqual(try its.waitingFor(device: "bbbb"), try second.reference())
        lab.loses = { false }
        try b.interactive.wipe()
        try b.interactive.connect(cx: cx(lab.now), to: a.address)
        try lab.until("a session") { try b.interactive.isEstablished() }
        XCTAssertTrue(try push(lab, its, second))
        XCTAssertEqual(try its.devices(), [Renewal(device: "bbbb", expires: now + 32 * day, askedAt: nil, waiting: nil)])

        // Revoked: b, which trusted a until now, ends the session with it.
        let serials = try a.wallet.tickets().map { try $0.claims().serial }.sorted()
        let list = try agent.revoke(signer: Acme.signer, serials: serials, now: now)
        try lab.say(a, writeTicketMessage(message: .revocationList(list: list)))
        XCTAssertTrue(try b.wallet.handle(message: XCTUnwrap(b.received.popLast()).payload, wall: now))
        try b.interactive.recheck(cx: cx(lab.now))
        try lab.settle()
        XCTAssertEqual(try b.wallet.listNumber(), 1)
        XCTAssertTrue(b.events.contains(.terminated))
    }

    func testWhatIsSharedWithKnownPeersIsRemembered() throws {
        let lab = try ticketLab()
        let (a, b) = (lab.a, lab.b)
        func asked() throws -> [Int] {
            let (before, generation) = ([a.vault.agreed, b.vault.agreed], try a.interactive.peer().generation)
            try a.interactive.authenticate(cx: cx(lab.now), to: b.address)
            try lab.until("a new key") {
                try a.interactive.peer().generation > generation && b.interactive.peer().generation > generation
            }
            return [a.vault.agreed - before[0], b.vault.agreed - before[1]]
        }
        try lab.connect()
        XCTAssertEqual([a.vault.agreed, b.vault.agreed], [2, 2])
        XCTAssertEqual(try asked(), [1, 1], "half")
        try a.device.lock()
        XCTAssertEqual(try asked(), [2, 1], "a has forgotten")
        // Another key under the same number: what the old one shared is of no use.
        let new = try StaticKey.generate(device: b.device, curve: .x25519)
        b.vault.keys[1] = new
        _ = try b.wallet.install(ticket: Acme.ticket("bbbb", new, 9, days: 60), wall: now)
        try b.interactive.recheck(cx: cx(lab.now))
        try lab.settle()
        XCTAssertEqual(try asked(), [2, 2], "a new key")
    }
}
