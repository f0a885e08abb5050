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

/// `pairAgain` as `pair_again`.
private func snake(_ name: Any) -> String {
    "\(name)".reduce(into: "") { text, letter in text += letter.isUppercase ? "_" + letter.lowercased() : String(letter) }
}

/// JSON with its keys in order, to compare.
private func text(_ json: Any) throws -> String {
    String(decoding: try JSONSerialization.data(withJSONObject: json, options: .sortedKeys), as: UTF8.self)
}

private final class Given: RandomSource, @unchecked Sendable {
    var draws: [Data] = []
    func random(length: UInt32) throws -> Data {
        guard let first = draws.first, first.count == Int(length) else {
            throw CallbackError.Failed(reason: "the vector has no \(length) bytes here")
        }
        return draws.removeFirst()
    }
}

private final class VectorVault: KeyVault, @unchecked Sendable {
    let secret: Data
    var keys: [UInt16: StaticKey] = [:]
    init(_ secret: Data) { self.secret = secret }
    func deviceSecret() throws -> Data { secret }
    func publicKey(key: UInt16, curve: Curve) throws -> Data? { try keys[key]?.publicKey() }
    func agree(key: UInt16, curve: Curve, share: Data) throws -> Data? { try keys[key]?.agree(share: share) }
    func power(key: UInt16, curve: Curve, element: Data) throws -> Data? { try keys[key]?.power(element: element) }
}

private let named: [String: Suite] = [
    "0": .suite0, "1": .suite1, "2": .suite2, "3": .suite3, "4": .suite4, "5": .suite5, "0_symmetric": .suite0Symmetric,
    "1_symmetric": .suite1Symmetric, "2_symmetric": .suite2Symmetric, "3_symmetric": .suite3Symmetric,
    "4_symmetric": .suite4Symmetric, "5_symmetric": .suite5Symmetric, "-21": .suiteFfc2048, "-22": .suiteFfc3072,
]

private func curve(_ suite: Suite) -> Curve {
    switch suite {
    case .suite2, .suite3, .suite5: .p256
    case .suiteFfc2048: .ffc2048
    case .suiteFfc3072: .ffc3072
    default: .x25519
    }
}

/// One side of a vector.
private protocol Player {
    var given: Given { get }
    func call(_ step: Json) throws -> Json
    /// What comes out until idle, and when to wake up.
    func drain(_ now: UInt64) throws -> ([Json], UInt64?)
}

/// The calls that associations of all schemes have.
private func common(_ talks: Talks, _ cx: Cx, _ other: Data, _ step: Json) throws -> Json {
    switch step["do"] as! String {
    case "connect": try talks.connect(cx: cx, to: other)
    case "timeout": try talks.handleTimeout(cx: cx)
    case "input":
        if let got = try talks.handleInput(cx: cx, from: other, datagram: unhex(step["bytes"])) {
            let time: Any = got.time.map { NSNumber(value: $0) } ?? NSNull()
            return ["payload": hex(got.payload), "time": time, "place": hex(got.place)]
        }
    case "send": return ["bytes": hex(try talks.send(cx: cx, payload: unhex(step["payload"])).bytes)]
    case "export": return ["bytes": hex(try talks.export(cx: cx))]
    case "exporter":
        let label = String(decoding: unhex(step["label"]), as: UTF8.self)
        return ["bytes": hex(try talks.exporter(label: label, context: unhex(step["context"]), length: 40).expose())]
    default: XCTFail("no verb \(step["do"]!)")
    }
    return [:]
}

private func drained(_ poll: () throws -> Output, _ persisted: (UInt16, Data) throws -> Void) throws -> ([Json], UInt64?) {
    var outputs: [Json] = []
    while true {
        switch try poll() {
        case .idle(let wakeAt): return (outputs, wakeAt)
        case .datagram(let to, let bytes):
            outputs.append(["datagram": String(decoding: to, as: UTF8.self), "bytes": hex(bytes)])
        case .persist(let slot, let version, let bytes):
            outputs.append(["persist": Int(slot), "version": Int(version), "bytes": hex(bytes)])
            try persisted(slot, bytes)
        case .happened(let event): outputs.append(said(event))
        }
    }
}

private func said(_ event: Event) -> Json {
    switch event {
    case .established(let fingerprint, let initiator):
        return ["event": "established", "fingerprint": fingerprint, "initiator": initiator]
    case .resumed(let generation): return ["event": "resumed", "generation": Int(generation)]
    case .rekeyed(let generation): return ["event": "rekeyed", "generation": Int(generation)]
    case .paired(let fingerprint): return ["event": "paired", "fingerprint": fingerprint]
    case .updateAgreed(let generation): return ["event": "update_agreed", "generation": Int(generation)]
    case .keyReplaced(let generation): return ["event": "key_replaced", "generation": Int(generation)]
    case .peerAlive: return ["event": "peer_alive"]
    case .hint(let reason): return ["event": "hint", "reason": snake(reason)]
    case .authenticated: return ["event": "authenticated"]
    case .terminated: return ["event": "terminated"]
    case .rekeyNeeded: return ["event": "rekey_needed"]
    case .updateFailed(let reason): return ["event": "update_failed", "reason": snake(reason)]
    case .failed(let stage, let reason): return ["event": "failed", "stage": snake(stage), "reason": snake(reason)]
    default: return ["event": "\(event)"]
    }
}

private final class Node: Player {
    let given = Given()
    private let about: Json
    private let device: Device
    private let suites: [Suite]
    private var suite: Suite { suites[0] }
    private let config: Config
    private let other: Data
    private var stored = Data()
    private var talks: Talks!
    private var pairing: Pairing?
    private var wallet: Wallet!
    private var holder: Holder!

    init(_ about: Json) throws {
        self.about = about
        let vault = VectorVault(unhex(about["device"]))
        device = Device(vault: vault, random: given)
        suites = (about["suites"] as? [String] ?? [about["suite"] as! String]).map { named[$0]! }
        let rekeyAfter = UInt32(about["rekey_after"] as? Int ?? 1 << 20)
        config = Config(
            cid: unhex(about["cid"]), mtu: UInt16(about["mtu"] as? Int ?? 1200), rekeyAfter: rekeyAfter, log: 24)
        other = Data((about["other"] as! String).utf8)
        if about["ticket"] != nil {
            vault.keys[1] = try StaticKey(curve: curve(suite), secret: secret("key"))
            let agent = Agent(name: name("agent"), algorithm: .edDsa, key: unhex(about["agent_key"]))
            wallet = try Wallet(name: name("id"), agent: agent)
            _ = try wallet.install(ticket: Ticket.peek(bytes: unhex(about["ticket"])), wall: nil)
            try open(stranger())
        } else if about["credential"] != nil {
            // Scalars are exponents there, so it is the group of prime order on the same curve.
            let curve = curve(suite) == .x25519 ? .ristretto255 : curve(suite)
            vault.keys[1] = try StaticKey(curve: curve, secret: secret("key"))
            if about["next_key"] != nil { vault.keys[2] = try StaticKey(curve: curve, secret: secret("next_key")) }
            let `operator` = CredentialOperator(
                name: name("operator"), suite: suite, key: unhex(about["operator_key"]), listsAlgorithm: .edDsa,
                listsKey: unhex(about["lists_key"]))
            holder = try Holder(name: name("id"), operator: `operator`)
            let credential = try Credential(suite: suite, bytes: unhex(about["credential"]))
            try holder.install(credential: credential, wall: (about["wall"] as? Int).map { UInt64($0) / 1000 })
            try open(nobody())
        } else if let cpace = about["cpace"] as? String {
            let setup = Setup(
                me: unhex(about["id"]), suite: suite, pace: cpace == "p256" ? .p256 : .ristretto255, peerSlot: 1, attemptsSlot: 2)
            pairing = try Pairing.open(device: device, setup: setup, config: config, store: nil)
        } else {
            let peer = try Peer.provisioned(
                slotNumber: 1, me: unhex(about["id"]), peer: unhex(about["peer"]), suite: suite, sk: secret("sk"),
                t: secret("t"), li: secret("li"))
            if let psk { try peer.setPsk(psk: psk) }
            try open(peer)
        }
    }

    private func name(_ field: String) -> String { String(decoding: unhex(about[field]), as: UTF8.self) }
    private func secret(_ field: String) -> SecretBytes { SecretBytes(bytes: unhex(about[field])) }
    private var psk: SecretBytes? { about["psk"] == nil ? nil : secret("psk") }
    private func stranger() throws -> TicketPeer {
        try TicketPeer.named(slotNumber: 1, ownId: name("id"), id: name("peer"), psk: psk)
    }

    private func nobody() throws -> CredentialPeer {
        if about["peer"] == nil { return try CredentialPeer.anyone(suite: suite, slotNumber: 1, ownId: name("id"), psk: psk) }
        return try CredentialPeer.named(suite: suite, slotNumber: 1, ownId: name("id"), id: name("peer"), psk: psk)
    }

    private func open(_ peer: CredentialPeer) throws {
        func number(_ field: String, _ otherwise: Int) -> Int { about[field] as? Int ?? otherwise }
        let setup = CredentialSetup(
            interval: UInt32(number("interval", 60)), length: UInt16(number("length", 1000)), life: UInt32(number("life", 0)),
            key: 1, nextKey: about["next_key"] == nil ? nil : 2)
        talks = try Noninteractive.open(
            device: device, peer: peer, holder: holder, setup: setup, config: config, store: nil)
    }

    private func open(_ peer: Peer) throws {
        talks = try History.open(device: device, peer: peer, suite: suite, config: config, store: nil)
    }

    private func open(_ peer: TicketPeer) throws {
        let setup = TicketSetup(suites: suites, key: 1, life: UInt32(about["life"] as? Int ?? 0))
        talks = try Interactive.open(device: device, peer: peer, wallet: wallet, setup: setup, config: config, store: nil)
    }

    private func cx(_ now: UInt64) -> Cx {
        Cx(now: now, wall: (about["wall"] as? Int).map { UInt64($0) + now }, place: unhex(about["place"]))
    }

    func call(_ step: Json) throws -> Json {
        let cx = self.cx(UInt64(step["now"] as! Int))
        let verb = step["do"] as! String
        if let pairing {
            let secret = SecretBytes(bytes: unhex(step["secret"]))
            switch verb {
            case "listen": try pairing.listen(cx: cx, sk: secret, windowMs: UInt64(step["window"] as! Int))
            case "start": try pairing.start(cx: cx, to: other, sk: secret)
            case "timeout": try pairing.handleTimeout(cx: cx)
            default: try pairing.handleInput(cx: cx, from: other, datagram: unhex(step["bytes"]))
            }
            return [:]
        }
        switch verb {
        case "update": try (talks as! History).update(cx: cx)
        case "authenticate": try (talks as! Interactive).authenticate(cx: cx, to: other)
        case "ping": try (talks as! Interactive).ping(cx: cx, to: other)
        case "go_on": try (talks as! Noninteractive).goOn(cx: cx)
        case "revoke":
            _ = try holder.revoke(list: RevocationList.peek(bytes: unhex(step["list"])))
            try (talks as! Noninteractive).recheck(cx: cx)
        case "install" where holder != nil:
            let credential = try Credential(suite: suite, bytes: unhex(step["credential"]))
            try holder.install(credential: credential, wall: cx.wall.map { $0 / 1000 })
        case "install":
            _ = try wallet.install(ticket: Ticket.peek(bytes: unhex(step["ticket"])), wall: cx.wall.map { $0 / 1000 })
            try (talks as! Interactive).recheck(cx: cx)
        case "restart":
            let blob = step["peer"] != nil ? unhex(step["peer"]) : stored
            if holder != nil {
                let known = {
                    try CredentialPeer.fromBlob(device: self.device, suite: self.suite, slotNumber: 1, floor: 0, blob: blob)
                }
                try open(blob.isEmpty ? nobody() : known())
            } else if wallet != nil {
                let known = { try TicketPeer.fromBlob(device: self.device, slotNumber: 1, floor: 0, blob: blob) }
                try open(blob.isEmpty ? stranger() : known())
            } else {
                try open(Peer.fromBlob(device: device, slotNumber: 1, floor: 0, blob: blob))
            }
            if step["bytes"] != nil { try talks.restore(cx: cx, blob: unhex(step["bytes"])) }
        default: return try common(talks, cx, other, step)
        }
        return [:]
    }

    func drain(_ now: UInt64) throws -> ([Json], UInt64?) {
        try drained({ try self.pairing?.poll(cx: self.cx(now)) ?? self.talks.poll(cx: self.cx(now)) }) { slot, bytes in
            if slot == 1 { self.stored = bytes }
            if let pairing = self.pairing {
                try pairing.persisted(slot: slot, stored: true)
            } else {
                try self.talks.persisted(slot: slot, stored: true)
            }
        }
    }
}

/// A device with a chip and, once it is opened, its association.
private final class Chipped: Player {
    let given = Given()
    private let about: Json
    private let device: Device
    private let other: Data
    private var stored: [UInt16: Data] = [:]
    private var chip: Chip?
    private var own: Microcert!

    init(_ about: Json) {
        self.about = about
        device = Device(vault: VectorVault(unhex(about["device"])), random: given)
        other = Data((about["other"] as! String).utf8)
    }

    private func cx(_ now: UInt64) -> Cx { Cx(now: now, wall: (about["wall"] as? Int).map { UInt64($0) + now }) }

    private func open(_ of: Chip) throws {
        own = try Microcert.open(device: device, chip: of, config: Config(cid: unhex(about["cid"])), store: nil)
        chip = nil
    }

    func call(_ step: Json) throws -> Json {
        let cx = self.cx(UInt64(step["now"] as! Int))
        switch step["do"] as! String {
        case "enrol":
            let made = try Chip.enrol(device: device, seedSlot: 1, stateSlot: 2, invitation: unhex(step["bytes"]))
            chip = made
            return ["bytes": hex(try made.deposit())]
        case "confirm": try chip!.confirm(confirmation: unhex(step["bytes"]))
        case "open": try open(chip!)
        case "authenticate": try own.authenticate(cx: cx, to: other)
        case "sign": return ["bytes": hex(try own.sign(cx: cx, data: unhex(step["payload"])))]
        case "restart":
            func blob(_ name: String, _ slot: UInt16) -> Stored {
                Stored(bytes: step[name] == nil ? stored[slot]! : unhex(step[name]))
            }
            try open(
                Chip.fromBlobs(device: device, seedSlot: 1, seed: blob("seed", 1), stateSlot: 2, state: blob("state", 2)))
            if step["bytes"] != nil { try own.restore(cx: cx, blob: unhex(step["bytes"])) }
        case "chip":
            let of = try own.chip()
            return [
                "generation": Int(of.generation), "years": [Int(of.firstYear), Int(of.lastYear)], "floor": Int(of.floor),
                "confirmed": of.confirmed, "revoked": of.revoked,
            ]
        default: return try common(own, cx, other, step)
        }
        return [:]
    }

    func drain(_ now: UInt64) throws -> ([Json], UInt64?) {
        guard let chip else {
            return try drained({ try self.own.poll(cx: self.cx(now)) }) { slot, bytes in
                self.stored[slot] = bytes
                try self.own.persisted(slot: slot, stored: true)
            }
        }
        var outputs: [Json] = []
        while try chip.needsStore() {
            let part = try chip.seal(device: device)
            stored[part.slot] = part.bytes
            outputs.append(["persist": Int(part.slot), "version": Int(part.version), "bytes": hex(part.bytes)])
            try chip.persisted()
        }
        return (outputs, nil)
    }
}

/// Rows in memory, and what was written to them.
private final class Written: SeedStore, @unchecked Sendable {
    var rows: [Data: SeedRow] = [:]
    var outputs: [Json] = []
    func get(id: Data) throws -> SeedRow? { rows[id] }
    func swap(id: Data, version: UInt32, state: Data, seed: Data?) throws -> Bool {
        var written: Json = ["row": hex(id), "version": Int(version), "state": hex(state)]
        if let seed { written["seed"] = hex(seed) }
        outputs.append(written)
        rows[id] = SeedRow(state: state, seed: seed ?? rows[id]!.seed)
        return true
    }
}

/// A centre, and its side of the newest session.
private final class City: Player {
    let given = Given()
    private let about: Json
    private let device: Device
    private let other: Data
    private let config: Config
    private let rows = Written()
    private var centre: AuthCenter!
    private var served: Served?

    init(_ about: Json) throws {
        self.about = about
        device = Device(vault: VectorVault(unhex(about["device"])), random: given)
        other = Data((about["other"] as! String).utf8)
        config = Config(cid: unhex(about["cid"]))
        try start()
    }

    private func start() throws {
        centre = try AuthCenter.open(
            device: device, id: unhex(about["id"]), keys: SoftKeys(keys: SecretBytes(bytes: unhex(about["keys"]))), store: rows,
            setup: CentreSetup(shares: 256, answers: 16))
        served = nil
    }

    private func cx(_ now: UInt64) -> Cx { Cx(now: now, wall: UInt64(about["wall"] as! Int) + now) }

    func call(_ step: Json) throws -> Json {
        let cx = self.cx(UInt64(step["now"] as! Int))
        let (id, bytes) = (unhex(step["id"]), unhex(step["bytes"]))
        switch step["do"] as! String {
        case "invite":
            let suite = named[step["suite"] as! String]!
            return ["bytes": hex(try centre.invite(cx: cx, id: id, suite: suite, clockless: step["clockless"] as! Bool))]
        case "enrol":
            let enrolled = try centre.enrol(cx: cx, deposit: bytes)
            return ["id": hex(enrolled.id), "bytes": hex(enrolled.confirmation)]
        case "update": try centre.update(id: id)
        case "revoke": try centre.revoke(id: id)
        case "verify":
            guard let by = try centre.verify(signature: bytes, data: unhex(step["payload"])) else { return [:] }
            return ["id": hex(by.id), "time": Int(by.time), "counter": Int(by.counter)]
        case "row":
            let of = try centre.device(id: id)!
            return [
                "standing": snake(of.standing), "generation": Int(of.generation), "updating": of.updating,
                "years": [Int(of.firstYear), Int(of.lastYear)], "counter": Int(of.counter),
            ]
        case "restart":
            try start()
            if step["seed"] != nil { rows.rows[id] = SeedRow(state: unhex(step["state"]), seed: unhex(step["seed"])) }
            if step["bytes"] != nil {
                let suite = named[step["suite"] as! String]!
                served = try Served.atRest(device: device, id: id, suite: suite, config: config)
                try served!.restore(cx: cx, blob: bytes)
            }
        // The scheme's own messages, and a cookie's echo: the others are its session's.
        case "input" where bytes.first == 0x15 || bytes.prefix(2) == Data([0x10, 0x30]):
            let handled = try centre.handleInput(cx: cx, from: other, datagram: bytes, cid: config.cid)
            if let event = handled.event { rows.outputs.append(["event": snake(event), "id": hex(handled.id!)]) }
            if let reply = handled.reply { rows.outputs.append(["datagram": about["other"]!, "bytes": hex(reply)]) }
            if let granted = handled.session {
                served = try Served.open(device: device, accepted: granted, config: config)
            }
        default: return try common(served!, cx, other, step)
        }
        return [:]
    }

    func drain(_ now: UInt64) throws -> ([Json], UInt64?) {
        let outputs = rows.outputs
        rows.outputs = []
        guard let served else { return (outputs, nil) }
        let (said, wake) = try drained({ try served.poll(cx: self.cx(now)) }) { slot, _ in
            try served.persisted(slot: slot, stored: true)
        }
        return (outputs + said, wake)
    }
}

/// Plays tests/vectors: every call with the same time and randomness gives the same bytes as in every other language.
final class VectorTests: XCTestCase {
    private func playAll(_ scheme: String, _ player: (String, Json) throws -> Player = { try Node($1) }) throws {
        let vectors = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../../tests/vectors").standardizedFileURL
        let folder = vectors.appendingPathComponent(scheme)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".json") }.sorted()
        XCTAssertFalse(names.isEmpty)
        for name in names {
            let data = try Data(contentsOf: folder.appendingPathComponent(name))
            try play(JSONSerialization.jsonObject(with: data) as! Json, player)
        }
    }

    func testHistory() throws { try playAll("") }
    func testInteractive() throws { try playAll("interactive") }
    func testNoninteractive() throws { try playAll("noninteractive") }
    func testMicrocert() throws {
        try playAll("microcert") { side, about -> Player in
            if side == "a" { return Chipped(about) }
            return try City(about)
        }
    }

    private func play(_ vector: Json, _ player: (String, Json) throws -> Player) throws {
        let nodes = ["a": try player("a", vector["a"] as! Json), "b": try player("b", vector["b"] as! Json)]
        for (i, step) in (vector["steps"] as! [Json]).enumerated() {
            let node = nodes[step["node"] as! String]!
            let place = "\(vector["name"]!), step \(i): \(step["node"]!) \(step["do"]!)"
            node.given.draws = (step["random"] as! [String]).map { unhex($0) }
            var returned: Json
            do {
                returned = try node.call(step)
            } catch let error as IotkmError {
                returned = ["error": Int(error.code())]
            }
            let (outputs, wake) = try node.drain(UInt64(step["now"] as! Int))
            XCTAssertEqual(try text(returned), try text(step["returns"]!), "\(place): what it returns")
            XCTAssertEqual(try text(outputs), try text(step["outputs"]!), "\(place): outputs")
            XCTAssertEqual(wake, (step["wake"] as? Int).map { UInt64($0) }, "\(place): when to wake up")
            XCTAssertTrue(node.given.draws.isEmpty, "\(place): randomness left over")
        }
    }
}
