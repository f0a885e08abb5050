import Foundation
import XCTest

@testable import Iotkm

/// What a good day looks like.
final class HistoryTests: XCTestCase {
    func testExchangeAndData() throws {
        for suite in [Suite.suite0, .suite2, .suite4, .suite0Symmetric, .suite5Symmetric] {
            let lab = try Lab(suite)
            try lab.connect()
            XCTAssertTrue(try lab.a.history.isEstablished() && lab.b.history.isEstablished(), "\(suite)")
            XCTAssertEqual(try lab.a.history.fingerprint(), try lab.b.history.fingerprint())
            let fingerprint = try lab.a.history.fingerprint()!
            XCTAssertTrue(lab.a.events.contains(.established(fingerprint: fingerprint, initiator: true)))
            XCTAssertTrue(lab.b.events.contains(.established(fingerprint: fingerprint, initiator: false)))
            try lab.say(lab.a, "hello")
            try lab.say(lab.b, "world")
            XCTAssertEqual(lab.b.text(), ["hello"])
            XCTAssertEqual(lab.a.text(), ["world"])
            XCTAssertEqual(lab.b.received[0].place, Data(here.utf8))
            XCTAssertEqual(lab.b.received[0].time, 1_750_000_001_000)
            XCTAssertEqual(try lab.a.history.peerAddr(), lab.b.address)
        }
    }

    func testUpdateAndTheNextSessionUnderTheNewTriple() throws {
        let lab = try Lab()
        try lab.connect()
        try lab.say(lab.a, "21.5 C")
        try lab.say(lab.b, "ok")
        let before = try lab.a.history.peer().fingerprint
        try lab.b.history.update(cx: cx(lab.now))
        try lab.settle()
        XCTAssertTrue(lab.b.events.contains(.updateAgreed(generation: 1)), "\(lab.b.events)")
        XCTAssertEqual(try lab.a.history.peer().generation, 1)
        XCTAssertEqual(try lab.b.history.peer().generation, 1)
        XCTAssertNotEqual(try lab.a.history.peer().fingerprint, before)
        try lab.say(lab.a, "again")
        XCTAssertEqual(lab.b.text().last, "again")
    }

    func testExportRestartRestore() throws {
        let lab = try Lab()
        try lab.connect()
        try lab.say(lab.a, "before")
        let session = try lab.a.history.export(cx: cx(lab.now))
        // The power fails: all that is left is the store and the blob.
        try lab.a.open(Peer.restore(device: lab.a.device, store: lab.a.store, slot: 1))
        XCTAssertFalse(try lab.a.history.isEstablished())
        try lab.a.history.restore(cx: cx(lab.now), blob: session)
        try lab.settle()
        XCTAssertTrue(lab.a.events.contains { if case .resumed = $0 { true } else { false } }, "\(lab.a.events)")
        try lab.say(lab.a, "after")
        XCTAssertEqual(lab.b.text(), ["before", "after"])
        XCTAssertEqual(thrown { try lab.a.history.restore(cx: cx(lab.now), blob: session) }, .WrongState)
    }

    func testAnExporterGivesBothSidesTheSame() throws {
        let lab = try Lab()
        try lab.connect()
        let ours = try lab.a.history.exporter(label: "test", context: Data([1]), length: 48)
        let theirs = try lab.b.history.exporter(label: "test", context: Data([1]), length: 48)
        XCTAssertEqual(try ours.expose().count, 48)
        XCTAssertTrue(try ours.isSameAs(other: theirs))
        let another = try lab.b.history.exporter(label: "test", context: Data([2]), length: 48)
        XCTAssertFalse(try ours.isSameAs(other: another))
    }

    func testAssuranceDropsCloseWipe() throws {
        let lab = try Lab()
        XCTAssertNil(try lab.a.history.assurance())
        try lab.connect()
        let assurance = try lab.a.history.assurance()!
        XCTAssertEqual(assurance.authenticated, .pairedPeer)
        XCTAssertEqual(assurance.forwardSecrecySince, lab.now)
        let sent = try lab.a.history.send(cx: cx(lab.now), payload: Data("x".utf8))
        try lab.deliver(lab.b, sent.bytes)
        try lab.deliver(lab.b, sent.bytes)
        try lab.deliver(lab.b, Data([1, 2, 3]))
        XCTAssertEqual(lab.b.received.count, 1)
        XCTAssertEqual(try lab.b.history.drops()["replayed"], 1)
        XCTAssertEqual(try lab.b.history.drops().values.reduce(0, +), 2)
        try lab.a.history.close()
        try lab.settle()
        XCTAssertTrue(lab.b.events.contains(.terminated))
        try lab.connect()
        XCTAssertTrue(try lab.b.history.isEstablished())
        try lab.b.history.wipe()
        XCTAssertFalse(try lab.b.history.isEstablished())
    }

    func testAPeerIsUsedUpByAnAssociationAndComesBack() throws {
        let lab = try Lab(open: false)
        let peer = try provisioned("aaaa", "bbbb")
        try lab.a.open(peer)
        XCTAssertEqual(thrown { try peer.info() }, .WrongState)
        let back = try lab.a.history.intoPeer()
        XCTAssertEqual(try back.info().id, Data("bbbb".utf8))
        XCTAssertEqual(thrown { try lab.a.history.isEstablished() }, .WrongState)
        XCTAssertEqual(thrown { try lab.a.open(back, .suite4) }, .SuiteMismatch)
        XCTAssertEqual(try back.info().suite, .suite0)
    }
}
