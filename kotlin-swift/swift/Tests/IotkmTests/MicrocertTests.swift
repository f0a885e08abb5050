import Foundation
import XCTest

@testable import Iotkm

/// Devices and their authentication centre.
final class MicrocertTests: XCTestCase {
    private let data = Data("4.2 kWh".utf8)
    private let meterId = Data("meter".utf8)

    private func failed(_ reason: Reason) -> [Event] { [.failed(stage: .authentication, reason: reason)] }

    func testEnrolmentAndAuthenticationWithAClockAndWithout() throws {
        for (suite, clockless) in [(Suite.suite0Symmetric, false), (.suite4Symmetric, true), (.suite5Symmetric, false)] {
            let house = try House()
            let meter = try Meter(house, "meter-7", suite, clockless: clockless)
            let info = try meter.own.chip()
            XCTAssertEqual([info.id, info.centre], [Data("meter-7".utf8), House.address])
            XCTAssertEqual([info.clockless, info.confirmed, info.revoked], [clockless, true, false])
            XCTAssertEqual([info.firstYear, info.lastYear], [2026, 2030])
            XCTAssertEqual(info.suite, suite)
            XCTAssertEqual(info.pending, Pending.none)
            XCTAssertEqual(try meter.authenticate(), [.authenticated])
            XCTAssertEqual(house.events, clockless ? [.challenged, .authenticated] : [.authenticated])
            if suite == .suite0Symmetric { XCTAssertLessThanOrEqual(meter.wire.reduce(0) { $0 + $1.count }, 56) }
            XCTAssertEqual(try meter.own.time(cx: meter.cx), house.seconds * 1000)
            XCTAssertEqual(try house.row("meter-7").standing, .enrolled)
            XCTAssertEqual(try house.row("meter-7").seen, house.seconds)
            XCTAssertTrue(try house.centre.drops().isEmpty)
        }
    }

    func testASessionAndGoingOnAfterARestart() throws {
        let house = try House()
        let meter = try Meter(house, "meter")
        _ = try meter.connect()
        let fingerprint = try meter.own.fingerprint()!
        XCTAssertEqual(meter.events, [.established(fingerprint: fingerprint, initiator: true)])
        let (cid, session) = try XCTUnwrap(house.sessions.first)
        XCTAssertEqual(try session.fingerprint(), fingerprint)
        XCTAssertEqual(try session.id(), meterId)
        XCTAssertEqual(try meter.own.assurance()!.authenticated, .enrolled)
        _ = try house.hear("meter", meter.own.send(cx: meter.cx, payload: data).bytes)
        XCTAssertEqual(house.received, ["4.2 kWh"])
        let down = try session.send(cx: house.cx, payload: data)
        XCTAssertEqual(try meter.own.handleInput(cx: meter.cx, from: House.address, datagram: down.bytes)?.payload, data)
        XCTAssertNil(try meter.own.handleInput(cx: meter.cx, from: House.address, datagram: down.bytes))
        // The power fails at the meter, then at the centre.
        let blob = try meter.own.export(cx: meter.cx)
        try meter.reboot()
        try meter.own.restore(cx: meter.cx, blob: blob)
        try meter.talk()
        XCTAssertTrue(try meter.own.isEstablished())
        let kept = try session.export(cx: house.cx)
        let again = try Served.atRest(device: house.device, id: meterId, suite: .suite0Symmetric, config: Config(cid: cid))
        house.sessions[cid] = again
        try again.restore(cx: house.cx, blob: kept)
        guard case .datagram(_, let first) = try again.poll(cx: house.cx) else { return XCTFail("no resume") }
        _ = try meter.own.handleInput(cx: meter.cx, from: House.address, datagram: first)
        try meter.talk()
        _ = try house.hear("meter", meter.own.send(cx: meter.cx, payload: Data("again".utf8)).bytes)
        XCTAssertEqual(house.received.last, "again")
    }

    func testASessionThatWasGrantedIsOpenedOnce() throws {
        // Twice, two messages would be sealed under one key and nonce.
        let house = try House()
        let meter = try Meter(house, "meter")
        try meter.own.connect(cx: meter.cx, to: House.address)
        let asked = try XCTUnwrap(meter.drain().first)
        let granted = try XCTUnwrap(house.centre.handleInput(cx: house.cx, from: meterId, datagram: asked).session)
        let session = try Served.open(device: house.device, accepted: granted, config: Config())
        XCTAssertEqual(try session.id(), meterId)
        XCTAssertEqual(thrown { try Served.open(device: house.device, accepted: granted, config: Config()) }, .WrongState)
    }

    func testSignaturesVerifyUntilTheDeviceIsRevoked() throws {
        let house = try House()
        let meter = try Meter(house, "meter")
        func sign() throws -> Data {
            do {
                return try meter.own.sign(cx: meter.cx, data: data)
            } catch IotkmError.Undrained {
                _ = try meter.drain() // a counter is reserved first
                return try meter.own.sign(cx: meter.cx, data: data)
            }
        }
        let signature = try sign()
        let signed = try house.centre.verify(signature: signature, data: data)!
        XCTAssertEqual(signed, Signed(id: meterId, time: house.seconds, counter: signed.counter))
        XCTAssertEqual(try house.centre.verify(signature: sign(), data: data)?.counter, signed.counter + 1)
        XCTAssertNil(try house.centre.verify(signature: signature, data: Data("4.3 kWh".utf8)))
        for at in signature.indices {
            var changed = signature
            changed[at] &+= 1
            XCTAssertNil(try house.centre.verify(signature: changed, data: data), "byte \(at)")
        }
        try house.centre.revoke(id: meterId)
        XCTAssertNil(try house.centre.verify(signature: signature, data: data))
        XCTAssertEqual(try meter.authenticate(), failed(.revoked))
        XCTAssertEqual(thrown { try meter.own.sign(cx: meter.cx, data: data) }, .Revoked)
    }

    func testUpdatesAndRevocation() throws {
        let house = try House()
        let meter = try Meter(house, "meter")
        for generation in UInt32(1)...3 {
            let before = house.rows.rows[meterId]!.seed
            try house.centre.update(id: meterId)
            XCTAssertTrue(try house.row("meter").updating)
            XCTAssertEqual(
                try meter.authenticate(),
                [.authenticated, .updateAgreed(generation: generation), .keyReplaced(generation: generation)])
            XCTAssertEqual(try meter.own.chip().generation, generation)
            XCTAssertEqual(try house.row("meter").generation, generation)
            XCTAssertNotEqual(house.rows.rows[meterId]!.seed, before)
            try meter.reboot()
        }
        try house.centre.revoke(id: meterId)
        XCTAssertEqual(try house.row("meter").standing, .revoked)
        XCTAssertEqual(try meter.connect(), failed(.revoked))
        XCTAssertEqual(try house.row("meter").standing, .killed)
        try meter.reboot()
        XCTAssertTrue(try meter.own.chip().revoked)
        XCTAssertEqual(try meter.authenticate(), failed(.revoked))
        XCTAssertEqual(thrown { try house.centre.update(id: meterId) }?.code(), -17)
    }

    func testWrongClocksAndReplays() throws {
        let house = try House()
        let meter = try Meter(house, "meter")
        for clock in [nil, -86_400, 86_400] as [Int64?] {
            house.pass(400) // so that what the centre said last is no clock
            meter.clock = clock
            house.events = []
            XCTAssertEqual(try meter.authenticate(), [.authenticated])
            XCTAssertEqual(house.events, [.challenged, .authenticated])
        }
        let (recorded, counter) = (meter.wire, try house.row("meter").counter)
        house.pass(400)
        for datagram in recorded {
            _ = try house.hear("mallory", datagram)
            _ = try house.hear("mallory", datagram.dropLast())
        }
        XCTAssertEqual(try house.row("meter").counter, counter)
        XCTAssertFalse(try house.centre.drops().isEmpty)
        meter.clock = 0
        XCTAssertEqual(try meter.authenticate(), [.authenticated])
    }

    func testFiveYears() throws {
        let house = try House()
        let meter = try Meter(house, "meter")
        house.pass(4 * 365 * 86_400)
        _ = try meter.authenticate()
        XCTAssertEqual(try meter.own.chip().firstYear, 2030)
        house.pass(365 * 86_400)
        XCTAssertEqual(thrown { try meter.own.connect(cx: meter.cx, to: House.address) }, .SeedExpired)
        XCTAssertEqual(thrown { try meter.own.sign(cx: meter.cx, data: data) }?.code(), -16)
        meter.clock = -60 * 86_400
        XCTAssertEqual(try meter.authenticate().filter { $0 != .authenticated }, failed(.seedExpired))
    }

    func testALostAnswerIsAskedForAgainAndGivenUpInTheEnd() throws {
        let house = try House()
        let meter = try Meter(house, "meter")
        var seen = 0
        meter.loses = {
            seen += 1
            return seen == 2
        }
        XCTAssertEqual(try meter.authenticate(), [])
        try meter.wait(3)
        XCTAssertEqual(meter.events, [.authenticated])
        meter.loses = { true }
        _ = try meter.authenticate()
        try meter.wait(200)
        XCTAssertEqual(meter.events, failed(.noAnswer))
    }

    /// Whatever write fails, or is the last before the power goes: the update is finished or undone.
    func testPowerCutsAtEveryWriteOfAnUpdate() throws {
        for writes in 0...6 {
            let house = try House()
            let meter = try Meter(house, "meter")
            _ = try meter.authenticate()
            try house.centre.update(id: meterId)
            let until = meter.store.writes + writes
            meter.loses = {
                if meter.store.writes >= until { meter.store.broken = "no power" }
                return false
            }
            _ = try meter.authenticate()
            meter.store.broken = nil
            meter.loses = { false }
            try meter.reboot()
            for _ in 0..<3 { XCTAssertTrue(try meter.authenticate().contains(.authenticated), "after \(writes) writes") }
            XCTAssertEqual([try meter.own.chip().generation, try house.row("meter").generation], [1, 1])
        }
    }

    func testStoresThatFail() throws {
        let house = try House()
        let meter = try Meter(house, "meter")
        meter.store.broken = "flash worn out"
        XCTAssertEqual(try meter.authenticate(), [.storeFailed(slot: 2, reason: "flash worn out")])
        XCTAssertTrue(meter.wire.isEmpty)
        meter.store.broken = nil
        house.rows.broken = "disk full"
        house.pass(10)
        try meter.own.handleTimeout(cx: meter.cx)
        let datagram = try XCTUnwrap(meter.drain().first)
        let error = thrown { try house.hear("meter", datagram) }
        XCTAssertEqual(error, .SeedStore(reason: "disk full"))
        XCTAssertEqual(error?.code(), -18)
        house.rows.broken = nil
        try meter.wait(5)
        XCTAssertEqual(meter.events.last, .authenticated)
    }

    func testWhatIsRolledBackIsRefusedWhereThereAreCountersElseTold() throws {
        let house = try House()
        let meter = try Meter(house, "meter")
        _ = try meter.authenticate()
        let (old, rows) = (meter.store.slots, house.rows.rows)
        try house.centre.update(id: meterId)
        _ = try meter.authenticate()
        let new = meter.store.slots
        func put(_ seed: Stored, _ state: Stored) -> IotkmError? {
            thrown { try Chip.fromBlobs(device: meter.device, seedSlot: 1, seed: seed, stateSlot: 2, state: state) }
        }
        XCTAssertEqual(put(new[1]!, Stored(bytes: old[2]!.bytes, floor: new[2]!.floor)), .BlobRolledBack)
        XCTAssertEqual(put(Stored(bytes: old[1]!.bytes, floor: new[1]!.floor), new[2]!), .BlobRolledBack)
        XCTAssertEqual(put(old[1]!, new[2]!), .BadBlob)
        meter.store.slots = old
        try meter.reboot()
        XCTAssertEqual(try meter.authenticate(), failed(.pairAgain))
        // The database, likewise; and a row that was changed.
        meter.store.slots = new
        try meter.reboot()
        house.rows.rows = rows
        XCTAssertEqual(try meter.authenticate(), failed(.pairAgain))
        var row = rows[meterId]!
        var seed = row.seed
        seed[100] &+= 1
        row = SeedRow(state: row.state, seed: seed)
        house.rows.rows = [meterId: row]
        meter.store.slots = old
        try meter.reboot()
        XCTAssertEqual(try meter.authenticate(), [])
        XCTAssertEqual(house.events.last, .tampered)
    }

    func testMisuseIsAnErrorAndChangesNothing() throws {
        let house = try House()
        let (centre, device) = (house.centre, Device(vault: TestVault(5), random: TestRandom(5)))
        for name in ["", "12345678901234567", "house"] {
            XCTAssertEqual(thrown { try house.invite(name) }, .BadArgument)
        }
        XCTAssertEqual(thrown { try house.invite("m", .suite0) }, .BadArgument)
        XCTAssertEqual(thrown { try SoftKeys(keys: SecretBytes(bytes: Data(count: 95))) }, .BadArgument)
        func enrol(_ state: UInt16, _ invitation: Data) throws -> Chip {
            try Chip.enrol(device: device, seedSlot: 1, stateSlot: state, invitation: invitation)
        }
        XCTAssertEqual(thrown { try enrol(2, Data([1, 2, 3])) }, .BadArgument)
        XCTAssertEqual(thrown { try enrol(1, house.invite("m")) }, .BadArgument)
        let chip = try enrol(2, house.invite("m"))
        XCTAssertEqual(thrown { try centre.enrol(cx: house.cx, deposit: Data([1])) }, .BadArgument)
        let enrolled = try centre.enrol(cx: house.cx, deposit: chip.deposit())
        XCTAssertEqual(thrown { try house.invite("m") }, .WrongState)
        XCTAssertEqual(thrown { try chip.confirm(confirmation: Data(count: 20)) }, .BadArgument)
        try chip.confirm(confirmation: enrolled.confirmation)
        XCTAssertEqual(thrown { try chip.confirm(confirmation: enrolled.confirmation) }, .WrongState)
        XCTAssertEqual(thrown { try chip.deposit() }, .WrongState)
        func open(_ mtu: UInt16) throws -> Microcert {
            try Microcert.open(device: device, chip: chip, config: Config(mtu: mtu), store: TestStore())
        }
        XCTAssertEqual(thrown { try open(107) }, .BadArgument)
        let meter = try open(108)
        XCTAssertEqual(thrown { try chip.info() }, .WrongState)
        XCTAssertEqual(thrown { try meter.send(cx: house.cx, payload: data) }, .NotEstablished)
        XCTAssertEqual(try meter.intoChip().info().id, Data("m".utf8))
        XCTAssertEqual(thrown { try meter.chip() }, .WrongState)
        XCTAssertEqual(thrown { try centre.revoke(id: Data("nobody".utf8)) }, .BadArgument)
        XCTAssertEqual(
            thrown { try Chip.restore(device: device, store: TestStore(), seedSlot: 1, stateSlot: 2) }, .NotFound)
    }

    func testWithoutAStoreAndInAHub() throws {
        let house = try House()
        let device = Device(vault: TestVault(5))
        let chip = try Chip.enrol(device: device, seedSlot: 1, stateSlot: 2, invitation: house.invite("m"))
        var slots: [UInt16: Stored] = [:]
        while try chip.needsStore() {
            let part = try chip.seal(device: device)
            slots[part.slot] = Stored(bytes: part.bytes, floor: part.version)
            try chip.persisted()
        }
        XCTAssertEqual(slots[1]!.bytes.count, 1005)
        _ = try house.centre.enrol(cx: house.cx, deposit: chip.deposit())
        let again = try Chip.fromBlobs(device: device, seedSlot: 1, seed: slots[1]!, stateSlot: 2, state: slots[2]!)
        let meter = try Microcert.open(device: device, chip: again, config: Config(), store: nil)
        let hub = try Hub.open(device: device, cx: house.cx, places: 2, busy: 2, store: nil)
        _ = try hub.insert(association: .microcert(meter))
        try meter.connect(cx: house.cx, to: House.address)
        var (writes, events): ([UInt16], [Event]) = ([], [])
        polling: while true {
            switch try hub.poll(cx: house.cx).output {
            case .persist(let slot, _, _):
                writes.append(slot)
                try meter.persisted(slot: slot, stored: true)
            case .datagram(_, let bytes):
                XCTAssertEqual(writes.first, 2)
                for reply in try house.hear("m", bytes) {
                    _ = try hub.handleInput(cx: house.cx, from: House.address, datagram: reply)
                }
            case .happened(let event): events.append(event)
            case .idle: break polling
            }
        }
        XCTAssertEqual(events, [.established(fingerprint: try meter.fingerprint()!, initiator: true)])
        XCTAssertTrue(try meter.chip().confirmed, "the first authentication says as much")
    }

    func testNoSecretInAnyText() throws {
        let house = try House()
        let invitation = try house.invite("m")
        let chip = try Chip.enrol(device: house.device, seedSlot: 1, stateSlot: 2, invitation: invitation)
        XCTAssertEqual("\(try SoftKeys(keys: SecretBytes(bytes: Data(count: 96))))", "SoftKeys(..)")
        let transport = invitation.suffix(16).map { String(format: "%02x", $0) }.joined()
        for text in ["\(chip)", "\(try chip.info())", "\(house.centre)", "\(try Meter(house, "meter").own!)"] {
            XCTAssertFalse(text.contains(transport), text)
        }
        XCTAssertTrue("\(chip)".contains("generation"))
    }
}
