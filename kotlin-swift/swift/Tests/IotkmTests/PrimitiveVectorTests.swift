import Foundation
import XCTest

@testable import Iotkm

private typealias Json = [String: Any]

private func hex(_ bytes: Data) -> String { bytes.map { String(format: "%02x", $0) }.joined() }

private func unhex(_ text: Any?) -> Data {
    let digits = Array((text as? String ?? "").utf8)
    return Data(stride(from: 0, to: digits.count, by: 2).map {
        UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)!
    })
}

private func load(_ name: String) throws -> Json {
    let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../../tests/vectors/primitives/\(name).json")
    return try JSONSerialization.jsonObject(with: Data(contentsOf: file.standardizedFileURL)) as! Json
}

private extension Dictionary where Key == String, Value == Any {
    func text(_ name: String) -> String { self[name] as! String }
    func number(_ name: String) -> UInt64? { (self[name] as? NSNumber)?.uint64Value }
    func bytes(_ name: String) -> Data { unhex(self[name]) }
    func all(_ name: String) -> [Json] { self[name] as! [Json] }
}

private let curves: [String: Curve] = ["x25519": .x25519, "p256": .p256, "ffc2048": .ffc2048, "ffc3072": .ffc3072]

/// A vault that is only asked for a public key.
private final class ShowingVault: KeyVault, @unchecked Sendable {
    let secret: Data
    let shown: Data?
    init(_ secret: Data, _ shown: Data? = nil) { (self.secret, self.shown) = (secret, shown) }
    func deviceSecret() throws -> Data { secret }
    func publicKey(key: UInt16, curve: Curve) throws -> Data? { shown }
}

/// Plays tests/vectors/primitives/tickets.json: tickets, lists, what is refused, a wallet step by step; and renewal.json: an
/// agent, an operator.
final class TicketVectorTests: XCTestCase {
    private let vectors = try! load("tickets")

    private func about(_ vector: Json) -> Json { vectors.all("agents")[vector["agent"] as! Int] }
    private func algorithm(_ agent: Json) -> Algorithm { agent.text("algorithm") == "EdDSA" ? .edDsa : .es256 }
    private func signer(_ agent: Json) throws -> SigningKey {
        try SigningKey(algorithm: algorithm(agent), secret: SecretBytes(bytes: agent.bytes("secret")))
    }
    private func agent(_ vector: Json) -> Agent {
        let agent = about(vector)
        return Agent(name: agent.text("name"), algorithm: algorithm(agent), key: agent.bytes("public"))
    }

    func testTicketsAndLists() throws {
        for vector in vectors.all("tickets") {
            let (agent, curve) = (about(vector), curves[vector.text("group")]!)
            let key = try StaticKey(curve: curve, secret: SecretBytes(bytes: vector.bytes("private")))
            XCTAssertEqual(hex(try key.publicKey()), vector.text("key"))
            let claims = Claims(
                agent: agent.text("name"), device: vector.text("device"), curve: curve, key: vector.bytes("key"),
                serial: UInt32(vector.number("serial")!), issuedAt: vector.number("issued_at")!,
                expires: vector.number("expires")!, notBefore: vector.number("not_before"), scope: vector.text("scope"))
            let ticket = try Ticket.issue(signer: signer(agent), claims: claims)
            XCTAssertEqual(hex(ticket.bytes()), vector.text("bytes"))
            XCTAssertEqual(hex(try ticket.reference()), vector.text("reference"))
            XCTAssertEqual(try Ticket.verify(bytes: ticket.bytes(), agent: self.agent(vector)).claims(), claims)
        }
        for vector in vectors.all("lists") {
            let agent = about(vector)
            let said = Revoked(
                agent: agent.text("name"), issuedAt: vector.number("issued_at")!, number: UInt32(vector.number("number")!),
                serials: (vector["serials"] as! [NSNumber]).map { $0.uint32Value })
            let list = try RevocationList.issue(signer: signer(agent), revoked: said)
            XCTAssertEqual(hex(list.bytes()), vector.text("bytes"))
            XCTAssertEqual(try RevocationList.verify(bytes: list.bytes(), agent: self.agent(vector)).revoked(), said)
        }
    }

    func testWhatIsRefused() throws {
        for vector in vectors.all("refused") {
            let error = thrown {
                if vector.text("kind") == "ticket" {
                    _ = try Ticket.verify(bytes: vector.bytes("bytes"), agent: agent(vector))
                } else {
                    _ = try RevocationList.verify(bytes: vector.bytes("bytes"), agent: agent(vector))
                }
            }
            XCTAssertEqual(error, .Refused(number: Int32(vector["code"] as! Int), reason: vector.text("reason")))
        }
    }

    func testADevicesRequest() throws {
        let vector = try XCTUnwrap(vectors.all("messages").first { $0.text("kind") == "request" })
        let device = Device(vault: ShowingVault(Data(repeating: 0, count: 32), vector.bytes("key")))
        let request = try ticketRequest(
            device: device, key: 0, curve: curves[vector.text("group")]!, name: vector.text("device"),
            scope: vector.text("scope"), lifetime: vector.number("lifetime")!)
        XCTAssertEqual(hex(request), vector.text("bytes"))
    }

    func testMessages() throws {
        for vector in vectors.all("messages") {
            let message: TicketMessage
            switch vector.text("kind") {
            case "request":
                message = .request(request: TicketRequest(
                    device: vector.text("device"), curve: curves[vector.text("group")]!, key: vector.bytes("key"),
                    lifetime: vector.number("lifetime")!, scope: vector.text("scope")))
            case "list": message = .revocationList(list: try RevocationList.peek(bytes: vector.bytes("object")))
            case "acknowledged":
                message = .acknowledged(ticket: vector.bytes("ticket"), listNumber: UInt32(vector.number("list")!))
            default: message = .refusal(code: Int64(vector["code"] as! Int))
            }
            XCTAssertEqual(hex(try writeTicketMessage(message: message)), vector.text("bytes"))
            let read = try readTicketMessage(bytes: vector.bytes("bytes"))
            XCTAssertEqual(hex(try writeTicketMessage(message: read)), vector.text("bytes"))
        }
    }

    /// What a call gives, or the code of what it throws.
    private func returned(_ call: () throws -> Any?) throws -> Any {
        do { return try call() ?? NSNull() } catch let error as IotkmError { return Int(error.code()) }
    }

    func testATicketAgentStepByStep() throws {
        let vector = try load("renewal")
        let about = vector["agent"] as! Json
        let (key, device) = (try signer(about), Device(vault: ShowingVault(vector.bytes("device_secret"))))
        XCTAssertEqual(hex(key.publicKey()), about.text("public"))
        var agent = try TicketAgent(name: about.text("name"))
        var blob = Data()
        for (i, step) in vector.all("ticket_agent").enumerated() {
            let returns = try returned {
                switch step.text("do") {
                case "issue":
                    guard case .request(let request) = try readTicketMessage(bytes: step.bytes("request")) else { return nil }
                    return hex(try agent.issue(signer: key, request: request, now: step.number("now")!).bytes())
                case "revoke":
                    let serials = (step["serials"] as! [NSNumber]).map { $0.uint32Value }
                    return hex(try agent.revoke(signer: key, serials: serials, now: step.number("now")!).bytes())
                case "seal":
                    let sealed = try agent.seal(device: device)
                    blob = sealed.bytes
                    return ["blob": hex(blob), "version": Int(sealed.version)] as Json
                case "persisted":
                    try agent.persisted()
                    return nil
                default:
                    agent = try TicketAgent.fromBlob(device: device, floor: UInt32(step.number("floor")!), blob: blob)
                    return try agent.name()
                }
            }
            XCTAssertEqual(["returns": returns] as NSDictionary, ["returns": step["returns"] ?? NSNull()] as NSDictionary, "step \(i)")
        }
    }

    func testAnOperatorStepByStep() throws {
        let vector = try load("renewal")["operator"] as! Json
        let its = try Operator(
            capacity: UInt32(vector.number("capacity")!), lead: vector.number("lead")!, retry: vector.number("retry")!)
        func optional(_ value: UInt64?) -> Any { value.map { Int($0) } ?? NSNull() as Any }
        for (i, step) in vector.all("steps").enumerated() {
            let returns = try returned {
                switch step.text("do") {
                case "knows":
                    try its.knows(ticket: Ticket.peek(bytes: step.bytes("ticket")))
                    return true
                case "ask": return try its.ask(now: step.number("now")!)
                case "issued":
                    try its.issued(ticket: Ticket.peek(bytes: step.bytes("ticket")))
                    return true
                case "handle": return try its.handle(device: step.text("device"), message: step.bytes("message"))
                default:
                    try its.forget(device: step.text("device"))
                    return nil
                }
            }
            let devices = try its.devices().map { known -> Json in
                XCTAssertEqual(known.waiting, try its.waitingFor(device: known.device))
                return [
                    "asked_at": optional(known.askedAt), "device": known.device, "expires": Int(known.expires),
                    "waiting": known.waiting.map { hex($0) } ?? NSNull() as Any,
                ]
            }
            let state: Json = ["returns": returns, "wake_at": optional(try its.wakeAt()), "devices": devices]
            let wanted = step.filter { state[$0.key] != nil }
            XCTAssertEqual(state as NSDictionary, wanted as NSDictionary, "step \(i), \(step.text("do"))")
        }
    }

    func testAWalletStepByStep() throws {
        let vector = vectors["wallet"] as! Json
        let device = Device(vault: ShowingVault(vector.bytes("device_secret")))
        func new() throws -> Wallet { try Wallet(name: vector.text("device"), agent: agent(vector)) }
        let wallet = try new()
        for (i, step) in vector.all("steps").enumerated() {
            let (wall, data) = (step.number("wall"), step.bytes("bytes"))
            var returned: Any
            do {
                switch step.text("do") {
                case "install": returned = try wallet.install(ticket: Ticket.peek(bytes: data), wall: wall)
                case "revoke": returned = try wallet.revoke(list: RevocationList.peek(bytes: data))
                case "handle": returned = try wallet.handle(message: data, wall: wall)
                case "check":
                    try wallet.check(ticket: Ticket.peek(bytes: data), wall: wall)
                    returned = true
                case "saw":
                    try wallet.saw(ticket: Ticket.peek(bytes: data), wall: wall)
                    returned = true
                default:
                    let sealed = try wallet.seal(device: device)
                    try wallet.persisted()
                    let again = try new()
                    try again.restore(device: device, blob: sealed.bytes, floor: sealed.version)
                    XCTAssertEqual(try again.floor(), try wallet.floor())
                    returned = ["blob": hex(sealed.bytes), "version": Int(sealed.version)] as Json
                }
            } catch let error as IotkmError {
                returned = Int(error.code())
            }
            let state: Json = [
                "returns": returned, "floor": Int(try wallet.floor()), "list_number": Int(try wallet.listNumber()),
                "tickets": try wallet.tickets().map { Int(try $0.claims().serial) },
                "shown": try wallet.ticket(wall: wall).map { Int(try $0.claims().serial) } ?? NSNull() as Any,
                "needs_store": try wallet.needsStore(),
                "acknowledgement": try wallet.acknowledgement().map { hex($0) } ?? NSNull() as Any,
            ]
            let wanted = step.filter { state[$0.key] != nil }
            XCTAssertEqual(state as NSDictionary, wanted as NSDictionary, "step \(i), \(step.text("do"))")
        }
    }
}

/// Plays tests/vectors/primitives/credentials.json: the same secrets give the same keys and take the same answers; a device's next
/// credential comes by the same messages, and is stored in the same blobs.
final class CredentialVectorTests: XCTestCase {
    private let vectors = try! load("credentials")
    private let suites: [Int: Suite] = [
        0: .suite0, 1: .suite1, 2: .suite2, 3: .suite3, 4: .suite4, 5: .suite5, -21: .suiteFfc2048, -22: .suiteFfc3072,
    ]

    /// Draws what the vector says, one after the other.
    private final class Drawn: RandomSource, @unchecked Sendable {
        var draws: [Data]
        init(_ draws: Any?) { self.draws = (draws as? [String] ?? []).map { unhex($0) } }
        func random(length: UInt32) throws -> Data {
            guard let first = draws.first, first.count == Int(length) else { throw CallbackError.Failed(reason: "no draw") }
            return draws.removeFirst()
        }
    }

    /// A scalar as if it had just been drawn: groups that draw more take it for a big-endian number.
    private final class Padded: RandomSource, @unchecked Sendable {
        let scalar: Data
        init(_ scalar: Data) { self.scalar = scalar }
        func random(length: UInt32) throws -> Data { Data(count: Int(length) - scalar.count) + scalar }
    }

    func testIssuedAndRefused() throws {
        for (place, office) in vectors.all("operators").enumerated() {
            let suite = suites[Int(office.text("suite"))!]!
            let key = try OperatorKey(suite: suite, secret: SecretBytes(bytes: office.bytes("x")))
            XCTAssertEqual(hex(key.publicKey()), office.text("key"))
            let whose = CredentialOperator(
                name: office.text("name"), suite: suite, key: key.publicKey(), listsAlgorithm: .edDsa,
                listsKey: office.bytes("lists_key"))
            let numbers = try TicketAgent(name: office.text("name"))
            let vault = ShowingVault(Data(repeating: 0, count: 32))
            try numbers.save(device: Device(vault: vault), store: TestStore(), slot: 1)
            for vector in vectors.all("credentials") where vector["operator"] as! Int == place {
                let (name, now) = (vector.text("device"), vector.number("issued_at")!)
                let (life, holder) = (UInt16(vector.number("life")!), try Holder(name: name, operator: whose))
                let desk = Device(vault: vault, random: Drawn(vector["operator_draws"]))
                let issued: Issued
                if vector["split"] as! Bool {
                    let own = Device(vault: vault, random: Drawn(vector["device_draws"]))
                    let asked = try CredentialRequest(device: own, suite: suite, name: name)
                    XCTAssertEqual(hex(asked.request()), vector.text("request"))
                    XCTAssertEqual(try requestedDevice(suite: suite, request: asked.request()), name)
                    let answer = try key.issue(
                        device: desk, agent: numbers, request: asked.request(), now: UInt32(now), life: life)
                    XCTAssertEqual(hex(answer), vector.text("answer"))
                    issued = try holder.accept(asked: asked, answer: answer, wall: now)
                } else {
                    issued = try key.issuePrintedKnowingThePrivateKey(
                        device: desk, agent: numbers, name: name, now: UInt32(now), life: life)
                }
                XCTAssertEqual(hex(issued.credential.bytes()), vector.text("credential"))
                XCTAssertEqual(hex(issued.credential.reference()), vector.text("reference"))
                XCTAssertEqual(hex(try issued.key.publicKey()), vector.text("key"))
                XCTAssertEqual(hex(try credentialKey(operator: whose, credential: issued.credential)), vector.text("key"))
                try holder.check(credential: issued.credential, key: issued.key, wall: now)
                try holder.install(credential: issued.credential, wall: now)
            }
            for vector in vectors.all("refused") where vector["operator"] as! Int == place {
                let own = Device(vault: vault, random: Padded(vector.bytes("k1")))
                let request = try CredentialRequest(device: own, suite: suite, name: vector.text("device"))
                let holder = try Holder(name: vector.text("device"), operator: whose)
                let error = thrown {
                    try holder.accept(asked: request, answer: vector.bytes("bytes"), wall: vector.number("wall"))
                }
                XCTAssertEqual(error, .Refused(number: Int32(vector["code"] as! Int), reason: vector.text("reason")))
            }
        }
    }

    func testMessages() throws {
        for vector in vectors.all("messages") {
            let its = vector.bytes("object")
            let message: TicketMessage
            switch vector.text("kind") {
            case "credential_due": message = .credentialDue
            case "credential_request": message = .credentialAsked(request: its)
            default: message = .credentialAnswer(answer: its)
            }
            XCTAssertEqual(hex(try writeTicketMessage(message: message)), vector.text("bytes"))
            let read = try readTicketMessage(bytes: vector.bytes("bytes"))
            XCTAssertEqual(hex(try writeTicketMessage(message: read)), vector.text("bytes"))
        }
    }

    /// What came of a message, as the vectors have it; the next private key by its public key.
    private func said(_ told: Told, _ curve: Curve, _ step: Json) throws -> Any {
        switch told {
        case .nothing: return "nothing"
        case .ask: return "ask"
        case .acknowledge: return "acknowledge"
        case .next(let issued):
            let x = (step["returns"] as! Json).bytes("x")
            let key = try StaticKey(curve: curve, secret: SecretBytes(bytes: x))
            XCTAssertEqual(hex(try key.publicKey()), hex(try issued.key.publicKey()))
            return ["credential": hex(issued.credential.bytes()), "x": hex(x)] as Json
        }
    }

    func testHeldAndRenewed() throws {
        for vector in vectors.all("holders") {
            let office = vectors.all("operators")[vector["operator"] as! Int]
            let number = Int(office.text("suite"))!
            let curves: [Int: Curve] = [2: .p256, -21: .ffc2048, -22: .ffc3072]
            let (suite, curve) = (suites[number]!, curves[number] ?? .ristretto255)
            let whose = CredentialOperator(
                name: office.text("name"), suite: suite, key: office.bytes("key"), listsAlgorithm: .edDsa,
                listsKey: office.bytes("lists_key"))
            let vault = ShowingVault(vector.bytes("device_secret"))
            var (holder, blob) = (try Holder(name: vector.text("device"), operator: whose), Data())
            for (i, step) in vector.all("steps").enumerated() {
                let wall = step.number("wall")
                var returned: Any = NSNull()
                do {
                    switch step.text("do") {
                    case "install":
                        try holder.install(credential: Credential(suite: suite, bytes: step.bytes("bytes")), wall: wall)
                        returned = true
                    case "handle":
                        returned = try said(holder.handle(message: step.bytes("bytes"), wall: wall), curve, step)
                    case "ask":
                        let drawn = Drawn(step["random"])
                        try holder.ask(device: Device(vault: vault, random: drawn))
                        XCTAssertTrue(drawn.draws.isEmpty)
                    case "store":
                        let sealed = try holder.seal(device: Device(vault: vault))
                        try holder.persisted()
                        blob = sealed.bytes
                        returned = ["blob": hex(blob), "version": Int(sealed.version)] as Json
                    default:
                        holder = try Holder(name: vector.text("device"), operator: whose)
                        try holder.restore(device: Device(vault: vault), blob: blob, floor: UInt32(step.number("counter")!))
                    }
                } catch let error as IotkmError {
                    returned = Int(error.code())
                }
                let state: Json = [
                    "returns": returned, "floor": Int(try holder.floor()), "list_number": Int(try holder.listNumber()),
                    "serial": try holder.credential().map { Int(try $0.claims().serial) } ?? NSNull() as Any,
                    "due_at": Int(try holder.dueAt(lead: vector.number("lead")!)),
                    "is_asking": try holder.isAsking(), "needs_store": try holder.needsStore(),
                    "request": try holder.request().map { hex($0) } ?? NSNull() as Any,
                    "acknowledgement": try holder.acknowledgement().map { hex($0) } ?? NSNull() as Any,
                ]
                let wanted = step.filter { state[$0.key] != nil }
                XCTAssertEqual(state as NSDictionary, wanted as NSDictionary, "step \(i), \(step.text("do"))")
            }
        }
    }
}
