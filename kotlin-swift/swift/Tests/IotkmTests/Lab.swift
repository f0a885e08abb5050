// Two devices in one process, for the tests: a network that loses nothing, a clock that stands still.
import Foundation
import XCTest

@testable import Iotkm

let here = "bench 4"

func cx(_ now: UInt64) -> Cx {
    Cx(now: now, wall: 1_750_000_000_000 + now, place: Data(here.utf8))
}

/// A vault with a fixed secret and static keys, which can be locked, and be slow.
final class TestVault: KeyVault, @unchecked Sendable {
    let fill: UInt8
    var locked = false
    var asked = 0
    var keys: [UInt16: StaticKey] = [:]
    var slow = 0
    /// How often `agree` was asked.
    var agreed = 0
    init(_ fill: UInt8) { self.fill = fill }
    private func check() throws { if locked { throw CallbackError.Failed(reason: "the screen is locked") } }
    func deviceSecret() throws -> Data {
        asked += 1
        try check()
        return Data(repeating: fill, count: 32)
    }
    private func find(_ key: UInt16, _ curve: Curve) throws -> StaticKey? {
        try check()
        if slow > 0 {
            slow -= 1
            throw CallbackError.Pending
        }
        return keys[key].flatMap { $0.curve() == curve ? $0 : nil }
    }
    func publicKey(key: UInt16, curve: Curve) throws -> Data? { try find(key, curve)?.publicKey() }
    func agree(key: UInt16, curve: Curve, share: Data) throws -> Data? {
        let secret = try find(key, curve)?.agree(share: share)
        agreed += 1
        return secret
    }
    func power(key: UInt16, curve: Curve, element: Data) throws -> Data? { try find(key, curve)?.power(element: element) }
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

/// The verbs that associations of all schemes have.
protocol Talks: AnyObject {
    func connect(cx: Cx, to: Data) throws
    func send(cx: Cx, payload: Data) throws -> Sent
    func handleInput(cx: Cx, from: Data, datagram: Data) throws -> Received?
    func handleTimeout(cx: Cx) throws
    func poll(cx: Cx) throws -> Output
    func persisted(slot: UInt16, stored: Bool) throws
    func export(cx: Cx) throws -> Data
    func restore(cx: Cx, blob: Data) throws
    func exporter(label: String, context: Data, length: UInt32) throws -> SecretBytes
    func isEstablished() throws -> Bool
    func fingerprint() throws -> String?
}

extension History: Talks {}
extension Interactive: Talks {}
extension Noninteractive: Talks {}
extension Microcert: Talks {}
extension Served: Talks {
    func connect(cx: Cx, to: Data) throws { XCTFail("a device connects") }
}

/// One side: its association and what happened to it.
final class Side {
    let address: Data
    let random: TestRandom
    let vault: TestVault
    let device: Device
    let store = TestStore()
    var talks: Talks!
    var history: History!
    var interactive: Interactive!
    var wallet: Wallet!
    var noninteractive: Noninteractive!
    var holder: Holder!
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
        talks = history
    }

    func open(_ peer: TicketPeer, _ suites: [Suite] = [.suite0]) throws {
        let setup = TicketSetup(suites: suites, key: 1)
        interactive = try Interactive.open(
            device: device, peer: peer, wallet: wallet, setup: setup, config: Config(), store: store)
        talks = interactive
    }

    func open(_ peer: CredentialPeer, _ setup: CredentialSetup = CredentialSetup(interval: 60, length: 10, key: 1)) throws {
        noninteractive = try Noninteractive.open(
            device: device, peer: peer, holder: holder, setup: setup, config: Config(), store: store)
        talks = noninteractive
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
    /// What becomes of each datagram on its way; none is lost at first.
    var loses: () throws -> Bool = { false }

    /// Whether there is a wall clock.
    var clock = true

    init(_ suite: Suite = .suite0, open: Bool = true) throws {
        if open {
            try a.open(provisioned("aaaa", "bbbb", suite), suite)
            try b.open(provisioned("bbbb", "aaaa", suite), suite)
        }
    }

    func moment() -> Cx { clock ? cx(now) : Cx(now: now, wall: nil, place: Data(here.utf8)) }

    func other(_ side: Side) -> Side { side === a ? b : a }

    func drain(_ side: Side) throws -> [Data] {
        var datagrams: [Data] = []
        while true {
            switch try side.talks.poll(cx: moment()) {
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
        if try loses() { return }
        if let received = try to.talks.handleInput(cx: moment(), from: other(to).address, datagram: datagram) {
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
        try a.talks.connect(cx: moment(), to: b.address)
        try settle()
    }

    /// Lets time pass from timer to timer, until this is so.
    func until(_ what: String, _ done: () throws -> Bool) throws {
        for _ in 0..<200 {
            try settle()
            if try done() { return }
            now = max(now, [a.wakeAt, b.wakeAt].compactMap { $0 }.min() ?? now)
            for side in [a, b] where side.wakeAt.map({ $0 <= now }) ?? false { try side.talks.handleTimeout(cx: moment()) }
        }
        XCTFail("never: \(what); \(a.events) \(b.events)")
    }

    func say(_ from: Side, _ text: String) throws { try say(from, Data(text.utf8)) }

    func say(_ from: Side, _ payload: Data) throws {
        let sent = try from.talks.send(cx: moment(), payload: payload)
        XCTAssertEqual(sent.to, other(from).address)
        try deliver(other(from), sent.bytes)
        try settle()
    }
}

/// The agent of the tests.
enum Acme {
    static let signer = try! SigningKey(algorithm: .edDsa, secret: key(7))
    static let agent = signer.agent(name: "acme")
    static let day: UInt64 = 86_400
    static let issued: UInt64 = 1_749_999_000

    static func ticket(_ name: String, _ of: StaticKey, _ serial: UInt32, days: UInt64 = 30) throws -> Ticket {
        let claims = Claims(
            agent: "acme", device: name, curve: of.curve(), key: try of.publicKey(), serial: serial, issuedAt: issued,
            expires: issued + days * day)
        return try Ticket.issue(signer: signer, claims: claims)
    }

    static func list(_ number: UInt32, _ serials: [UInt32]) throws -> RevocationList {
        let revoked = Revoked(agent: "acme", issuedAt: issued, number: number, serials: serials)
        return try RevocationList.issue(signer: signer, revoked: revoked)
    }
}

/// Two devices with tickets.
func ticketLab(
    _ suite: Suite = .suite0, _ curve: Curve = .x25519, days: UInt64 = 30, psks: [SecretBytes?] = [nil, nil]
) throws -> Lab {
    let lab = try Lab(open: false)
    let names = ["aaaa", "bbbb"]
    for (n, side) in [lab.a, lab.b].enumerated() {
        let key = try StaticKey.generate(device: side.device, curve: curve)
        side.vault.keys[1] = key
        side.wallet = try Wallet(name: names[n], agent: Acme.agent)
        _ = try side.wallet.install(ticket: Acme.ticket(names[n], key, UInt32(n + 1), days: days), wall: nil)
        try side.open(TicketPeer.named(slotNumber: 1, ownId: names[n], id: names[1 - n], psk: psks[n]), [suite])
    }
    return lab
}

/// An operator of the tests, at a desk of its own.
final class Office {
    let device = Device(vault: TestVault(99), random: TestRandom(99))
    let numbers = try! TicketAgent(name: "acme")
    let suite: Suite
    let key: OperatorKey
    let `operator`: CredentialOperator

    init(_ suite: Suite = .suite0) throws {
        self.suite = suite
        key = try OperatorKey.generate(device: device, suite: suite)
        `operator` = CredentialOperator(
            name: "acme", suite: suite, key: key.publicKey(), listsAlgorithm: .edDsa, listsKey: Acme.agent.key)
        try numbers.save(device: device, store: TestStore(), slot: 1)
    }

    /// Split issue: request, answer, and the key goes into the vault.
    func issue(_ to: Side, _ name: String) throws {
        let asked = try CredentialRequest(device: to.device, suite: suite, name: name)
        let now = UInt32(Acme.issued)
        let answer = try key.issue(device: device, agent: numbers, request: asked.request(), now: now, life: 1000)
        let issued = try to.holder.accept(asked: asked, answer: answer, wall: Acme.issued)
        to.vault.keys[1] = issued.key
        try to.holder.install(credential: issued.credential, wall: Acme.issued)
    }
}

/// Two devices with credentials.
func credentialLab(_ suite: Suite = .suite0, psks: [SecretBytes?] = [nil, nil]) throws -> Lab {
    try credentialLab(Office(suite), CredentialSetup(interval: 60, length: 10, key: 1), psks: psks)
}

/// Two devices with this office's credentials.
func credentialLab(_ office: Office, _ setup: CredentialSetup, psks: [SecretBytes?] = [nil, nil]) throws -> Lab {
    let lab = try Lab(open: false)
    let names = ["aaaa", "bbbb"]
    for (n, side) in [lab.a, lab.b].enumerated() {
        side.holder = try Holder(name: names[n], operator: office.operator)
        try office.issue(side, names[n])
        let peer = try CredentialPeer.named(
            suite: office.suite, slotNumber: 1, ownId: names[n], id: names[1 - n], psk: psks[n])
        try side.open(peer, setup)
    }
    return lab
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
