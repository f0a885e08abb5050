// Static keys behind the vault, tickets, revocation lists, a device's wallet.
import Foundation
import XCTest

@testable import Iotkm

private let now: UInt64 = 1_800_000_000
private let year: UInt64 = 31_536_000

final class TicketTests: XCTestCase {
    let signer = try! SigningKey(algorithm: .edDsa, secret: key(7))
    let vault = TestVault(5)
    lazy var device = Device(vault: vault, random: nil)
    lazy var agent = signer.agent(name: "acme")

    func ticket(_ name: String, _ serial: UInt32, _ expires: UInt64 = now + year) throws -> Ticket {
        let claims = Claims(
            agent: "acme", device: name, curve: .x25519, key: Data(repeating: 9, count: 32), serial: serial,
            issuedAt: now, expires: expires)
        return try Ticket.issue(signer: signer, claims: claims)
    }

    func list(_ number: UInt32, _ serials: [UInt32]) throws -> RevocationList {
        let revoked = Revoked(agent: "acme", issuedAt: now, number: number, serials: serials)
        return try RevocationList.issue(signer: signer, revoked: revoked)
    }

    func refused<T>(_ reason: String, _ call: () throws -> T, line: UInt = #line) {
        guard case .Refused(_, let why)? = thrown({ _ = try call() }, line: line) else { return XCTFail("not refused", line: line) }
        XCTAssertEqual(why, reason, line: line)
    }

    func testATicketIsWhatThePageSays() throws {
        let page = "d28445a201270440a0584ca6016461636d6502666c616d702d37041a6d2b0580061a6b49d20007440000000108a101a301012004215820"
            + String(repeating: "09", count: 32) + "5840"
            + "ef70f6e3ee009dfc468b38f560eba7bbe48e1a8b3cee9342083ba0d85c899ed6"
            + "f428a92899a45bd5509c33f60bf3f7e469727257d2ac128935f1f6bbbfbfbc05"
        let issued = try ticket("lamp-7", 1)
        XCTAssertEqual(issued.bytes().map { String(format: "%02x", $0) }.joined(), page)
        let read = try Ticket.verify(bytes: issued.bytes(), agent: agent)
        XCTAssertEqual(try read.claims().device, "lamp-7")
        XCTAssertEqual(try read.reference().count, 8)
        try read.check(wall: now)
        refused("expired") { try read.check(wall: now + year) }
        let over = thrown { try read.check(wall: now + year) }
        XCTAssertEqual("\(over!)", "refused: it is over (expired) [-209]")
        refused("not_yet_valid") { try read.check(wall: now - 301) }
        refused("agent") { try Ticket.verify(bytes: issued.bytes(), agent: signer.agent(name: "other")) }
        var bytes = issued.bytes()
        bytes[bytes.count - 1] ^= 1
        refused("signature") { try Ticket.verify(bytes: bytes, agent: agent) }
        XCTAssertEqual(thrown { try Ticket.peek(bytes: bytes.dropLast()) }?.code(), -201)
    }

    func testAWalletTakesWhatIsItsOwn() throws {
        let store = TestStore()
        let wallet = try Wallet(name: "lamp-7", agent: agent)
        XCTAssertTrue(try wallet.install(ticket: ticket("lamp-7", 1), wall: now))
        XCTAssertNil(try wallet.acknowledgement())
        try wallet.save(device: device, store: store, slot: 3)
        XCTAssertFalse(try wallet.needsStore())
        refused("subject") { try wallet.install(ticket: ticket("lamp-8", 3), wall: now) }
        let peer = try ticket("switch", 9)
        try wallet.check(ticket: peer, wall: now)
        XCTAssertTrue(try wallet.revoke(list: list(4, [9])))
        refused("revoked") { try wallet.check(ticket: peer, wall: now) }
        refused("older") { try wallet.revoke(list: list(3, [])) }
        try wallet.save(device: device, store: store, slot: 3)
        let again = try Wallet(name: "lamp-7", agent: agent)
        try again.load(device: device, store: store, slot: 3)
        refused("revoked") { try again.check(ticket: peer, wall: nil) }
        XCTAssertEqual(try again.acknowledgement(), try wallet.acknowledgement())
        XCTAssertEqual(try again.ticket(wall: now)?.claims().serial, 1)
    }

    func testStaticKeysStayInTheVault() throws {
        func request() throws -> Data {
            try ticketRequest(device: device, key: 1, curve: .x25519, name: "lamp-7", scope: "light", lifetime: year)
        }
        XCTAssertEqual(thrown(request)?.code(), -111)
        vault.keys[1] = try StaticKey.generate(device: device, curve: .x25519)
        let asked = try request()
        vault.slow = 1
        XCTAssertEqual(thrown(request)?.code(), -111)
        XCTAssertEqual(try request(), asked)
        let (a, b) = (try StaticKey.generate(device: device, curve: .p256), try StaticKey.generate(device: device, curve: .p256))
        XCTAssertEqual(try a.agree(share: b.publicKey()), try b.agree(share: a.publicKey()))
        XCTAssertEqual(thrown { try StaticKey.generate(device: device, curve: .x25519).power(element: b.publicKey()) }, .BadArgument)
        let blob = try a.seal(device: device)
        XCTAssertEqual(try StaticKey.restore(device: device, curve: .p256, blob: blob).publicKey(), try a.publicKey())
    }
}
