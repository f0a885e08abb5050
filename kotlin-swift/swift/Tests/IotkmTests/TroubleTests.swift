import Foundation
import XCTest

@testable import Iotkm

struct Surprise: Error {}

/// What goes wrong, and what is said of it.
final class TroubleTests: XCTestCase {
    func testErrorsHaveTheCoresNumbersAndSayHowToMendIt() throws {
        let lab = try Lab()
        let early = thrown { try lab.a.history.send(cx: cx(1), payload: Data([1])) }
        XCTAssertEqual(early, .NotEstablished)
        XCTAssertEqual(early?.code(), -2)
        XCTAssertTrue("\(early!)".contains("connect"), "\(early!)")
        XCTAssertEqual(thrown { try lab.a.history.connect(cx: cx(1), to: Data(count: 23)) }?.code(), -6)
        try lab.connect()
        let long = thrown { try lab.a.history.send(cx: cx(lab.now), payload: Data(count: 5000)) }
        XCTAssertEqual(long?.code(), -5)
        guard case .TooLong(let max) = long else { return XCTFail("\(long!)") }
        XCTAssertTrue((1000..<1200).contains(max))
        XCTAssertEqual(thrown { try lab.a.history.update(cx: cx(lab.now)) }?.code(), -12)
        let device = lab.a.device
        XCTAssertEqual(thrown { try Peer.fromBlob(device: device, slotNumber: 1, floor: 0, blob: Data(count: 60)) }?.code(), -9)
        XCTAssertEqual(thrown { try Peer.restore(device: device, store: TestStore(), slot: 7) }?.code(), -108)
        XCTAssertEqual(thrown { try provisioned("same", "same") }?.code(), -6)
    }

    func testAnotherDevicesBlobDoesNotOpenAnOldOneIsRefused() throws {
        let lab = try Lab()
        let peer = try provisioned("aaaa", "bbbb")
        let old = try peer.seal(device: lab.a.device)
        let new = try peer.seal(device: lab.a.device)
        XCTAssertEqual(
            thrown { try Peer.fromBlob(device: lab.b.device, slotNumber: 1, floor: 0, blob: new.bytes) }, .BadBlob)
        XCTAssertEqual(
            thrown { try Peer.fromBlob(device: lab.a.device, slotNumber: 1, floor: new.version, blob: old.bytes) },
            .BlobRolledBack)
    }

    func testACallbackThatCallsBackGetsBusy() throws {
        let lab = try Lab()
        var busy: IotkmError?
        lab.a.random.hook = { busy = thrown { try lab.a.history.isEstablished() } }
        try lab.connect()
        XCTAssertEqual(busy, .Busy)
        XCTAssertEqual(busy?.code(), -106)
        XCTAssertTrue(try lab.a.history.isEstablished())
        // Thrown through, it ends as the callback's failure.
        lab.b.random.hook = { _ = try lab.b.history.drops() }
        try lab.b.history.wipe()
        _ = try lab.drain(lab.b)
        XCTAssertEqual(thrown { try lab.b.history.connect(cx: cx(lab.now), to: lab.a.address) }?.code(), -7)
        lab.b.random.hook = { throw Surprise() }
        XCTAssertEqual(thrown { try lab.b.history.connect(cx: cx(lab.now), to: lab.a.address) }?.code(), -7)
    }

    func testAStoreThatFailsHoldsBackWhatDependsOnIt() throws {
        let lab = try Lab()
        lab.a.store.broken = "disk full"
        try lab.a.history.connect(cx: cx(lab.now), to: lab.b.address)
        XCTAssertTrue(try lab.drain(lab.a).isEmpty)
        XCTAssertEqual(lab.a.events, [.storeFailed(slot: 1, reason: "disk full")])
        lab.a.store.broken = nil
        lab.now = lab.a.wakeAt!
        try lab.a.history.handleTimeout(cx: cx(lab.now))
        try lab.settle()
        XCTAssertTrue(try lab.a.history.isEstablished())
        lab.a.store.broken = "gone"
        XCTAssertEqual(
            thrown { try Peer.restore(device: lab.a.device, store: lab.a.store, slot: 1) }, .Store(reason: "gone"))
    }

    func testWithoutAStoreTheApplicationStoresByItself() throws {
        let lab = try Lab(open: false)
        let history = try History.open(
            device: lab.a.device, peer: provisioned("aaaa", "bbbb"), suite: .suite0, config: Config(), store: nil)
        try history.connect(cx: cx(1), to: lab.b.address)
        guard case .persist(let slot, _, _) = try history.poll(cx: cx(1)) else { return XCTFail("no Persist") }
        guard case .idle = try history.poll(cx: cx(1)) else { return XCTFail("not held back") }
        try history.persisted(slot: slot, stored: true)
        guard case .datagram = try history.poll(cx: cx(1)) else { return XCTFail("no datagram") }
    }

    func testAVaultThatFailsFailsTheCallAndChangesNothing() throws {
        let lab = try Lab()
        lab.a.vault.locked = true
        XCTAssertEqual(
            thrown { try lab.a.history.connect(cx: cx(lab.now), to: lab.b.address) },
            .Vault(reason: "the screen is locked"))
        lab.a.vault.locked = false
        try lab.connect()
        let asked = lab.a.vault.asked
        try lab.say(lab.a, "x")
        XCTAssertEqual(lab.a.vault.asked, asked)
        try lab.a.device.lock()
        lab.a.vault.locked = true
        XCTAssertEqual(thrown { try lab.a.history.send(cx: cx(lab.now), payload: Data([1])) }?.code(), -111)
    }

    func testGivenRandomnessIsUsedAsItComesAndMayFail() throws {
        func record() throws -> [Data] {
            let lab = try Lab()
            try lab.connect()
            try lab.say(lab.a, "same")
            return lab.wire
        }
        XCTAssertEqual(try record(), try record())
        let lab = try Lab()
        lab.a.random.broken = true
        XCTAssertEqual(
            thrown { try lab.a.history.connect(cx: cx(lab.now), to: lab.b.address) },
            .Rng(reason: "the generator is too cold"))
        lab.a.random.broken = false
        try lab.connect()
        XCTAssertTrue(try lab.a.history.isEstablished())
    }

    func testTheSystemsRandomnessIsThereByDefault() throws {
        func first() throws -> Data {
            let device = Device(vault: TestVault(1))
            let history = try History.open(
                device: device, peer: provisioned("aaaa", "bbbb"), suite: .suite0, config: Config(), store: TestStore())
            try history.connect(cx: cx(1), to: Data([1]))
            guard case .datagram(_, let bytes) = try history.poll(cx: cx(1)) else { return Data() }
            return bytes
        }
        XCTAssertNotEqual(try first(), try first())
    }

    func testNoSecretInAnyText() throws {
        let lab = try Lab()
        try lab.connect()
        let exported = try lab.a.history.exporter(label: "e", context: Data(), length: 32)
        XCTAssertEqual("\(exported)", "SecretBytes(..)")
        XCTAssertEqual(exported.debugDescription, "SecretBytes(..)")
        XCTAssertEqual(lab.a.device.debugDescription, "Device(..)")
        XCTAssertTrue("\(lab.a.history!)".contains(try lab.a.history.fingerprint()!))
        let texts = try ["\(lab.a.history!)", "\(provisioned("aaaa", "bbbb"))", "\(lab.a.history.peer())", "\(lab.a.events)"]
        for text in texts {
            for secret in [try exported.expose(), Data(repeating: 11, count: 32), Data(repeating: 1, count: 32)] {
                XCTAssertFalse(text.contains(secret.prefix(8).map { String(format: "%02x", $0) }.joined()), text)
            }
        }
        try exported.wipe()
        XCTAssertTrue(try exported.expose().isEmpty)
    }
}
