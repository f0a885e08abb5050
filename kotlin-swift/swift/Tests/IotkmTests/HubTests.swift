import Foundation
import XCTest

@testable import Iotkm

final class HubTests: XCTestCase {
    func testAHubServesManyOnOneSocket() throws {
        let here = Side("hub", 1)
        let hub = try Hub.open(device: here.device, cx: cx(0), places: 2, busy: 64, store: here.store)
        let (lamp, plug) = (Side("lamp", 2), Side("plug", 3))
        try lamp.open(provisioned("lamp", "hub"))
        try here.open(provisioned("hub", "lamp"))
        XCTAssertEqual(try hub.insert(association: .history(here.history)), 0)
        for (side, name, serial) in [(plug, "plug", UInt32(1)), (here, "hub", 2)] {
            side.vault.keys[1] = try StaticKey.generate(device: side.device, curve: .x25519)
            side.wallet = try Wallet(name: name, agent: Acme.agent)
            _ = try side.wallet.install(ticket: Acme.ticket(name, side.vault.keys[1]!, serial), wall: nil)
        }
        try plug.open(TicketPeer.named(slotNumber: 1, ownId: "plug", id: "hub"))
        try here.open(TicketPeer.named(slotNumber: 5, ownId: "hub", id: "plug"))
        try hub.insertAt(place: 1, association: .interactive(here.interactive))
        XCTAssertEqual(thrown { try here.history.poll(cx: cx(1)) }, .WrongState)
        let (history, interactive) = (here.history!, here.interactive!)
        try here.open(provisioned("hub", "x"))
        XCTAssertEqual(thrown { try hub.insert(association: .history(here.history)) }, .Full)
        XCTAssertEqual(thrown { try hub.insert(association: .history(lamp.history)) }, .BadArgument)
        try lamp.history.connect(cx: cx(1), to: here.address)
        try interactive.connect(cx: cx(1), to: plug.address)
        var said = true
        while said {
            said = false
            for side in [lamp, plug] {
                while case let output = try side.talks.poll(cx: cx(1)) {
                    if case .idle = output { break }
                    guard case .datagram(_, let bytes) = output else { continue }
                    said = true
                    _ = try hub.handleInput(cx: cx(1), from: side.address, datagram: bytes)
                }
            }
            while case let output = try hub.poll(cx: cx(1)).output {
                if case .idle = output { break }
                guard case .datagram(let to, let bytes) = output else { continue }
                said = true
                let side = to == lamp.address ? lamp : plug
                _ = try side.talks.handleInput(cx: cx(1), from: here.address, datagram: bytes)
            }
        }
        for (place, side, theirs) in [(UInt32(0), lamp, history as Talks), (1, plug, interactive)] {
            XCTAssertTrue(try theirs.isEstablished(), "\(place)")
            let sent = try side.talks.send(cx: cx(1), payload: Data("hello".utf8))
            let got = try hub.handleInput(cx: cx(1), from: side.address, datagram: sent.bytes)
            XCTAssertEqual(got?.place, place)
            XCTAssertEqual(got?.received.payload, Data("hello".utf8))
            let back = try theirs.send(cx: cx(1), payload: Data("world".utf8))
            XCTAssertEqual(try side.talks.handleInput(cx: cx(1), from: here.address, datagram: back.bytes)?.payload, Data("world".utf8))
        }
        try hub.remove(association: .history(history))
        XCTAssertTrue(try history.isEstablished())
        _ = try history.poll(cx: cx(1))
        XCTAssertEqual(thrown { try hub.remove(association: .history(history)) }, .WrongState)
    }
}
