// An operator renews its devices' tickets over associations: one is on, one sleeps, one is stolen.
//
//     kotlin-swift/generate swift && swift run --package-path examples/swift/programs OperatorService
//
// The operator asks the agent for the next ticket before the one that a device holds ends, keeps it, and sends it whenever a
// session with the device comes up, until the device says that it is stored. Nothing is lost in this room; on a bad link send
// again what is not acknowledged after a while. Time is played: a month passes at once.
import Foundation
import Iotkm
import Room

/// The operator's server.
final class Server {
    private let (room, agency): (Room, Agency)
    private let hub: Hub
    private let its: Operator
    private let requests: [String: TicketRequest]
    private let names: [String]
    private var sessions: [Interactive] = []
    private var list: RevocationList?
    private var heard: [(String, Data)] = []
    private var due: [String] = []
    private(set) var waiting: [String: Ticket] = [:]

    init(_ room: Room, _ agency: Agency, _ devices: [Ticketed]) throws {
        (self.room, self.agency) = (room, agency)
        let own = try Ticketed("operator", agency, room.seconds)
        hub = try Hub.open(device: own.device, cx: room.cx, places: 10_000, busy: 8, store: own.store)
        its = try Operator(capacity: 10_000, lead: 7 * day, retry: day)
        names = devices.map { $0.name }
        requests = Dictionary(uniqueKeysWithValues: devices.map { ($0.name, $0.request) })
        for (place, device) in devices.enumerated() {
            try its.knows(ticket: device.wallet.ticket(wall: room.seconds)!)
            let session = try own.with(device.name, UInt16(place + 1))
            try hub.insertAt(place: UInt32(place), association: .interactive(session))
            sessions.append(session)
        }
        room.enter(
            "operator",
            Room.Member(
                poll: { [unowned self] in try poll($0) }, input: { [unowned self] in try input($0, $1, $2) },
                timeout: { [unowned self] in try hub.handleTimeout(cx: $0) }))
    }

    func revoke(_ of: Ticketed) throws {
        try its.forget(device: of.name)
        waiting[of.name] = nil
        list = try agency.revoke(of.wallet.tickets().map { try $0.claims().serial }, room.seconds)
        due += names
    }

    /// Asks for every ticket that is due.
    func renew() throws {
        while let name = try its.ask(now: room.seconds) {
            let request = try writeTicketMessage(message: .request(request: requests[name]!))
            guard case .ticket(let answer) = try readTicketMessage(bytes: agency.answer(request, room.seconds)) else { continue }
            let ticket = try Ticket.verify(bytes: answer.bytes(), agent: agency.agent)
            try its.issued(ticket: ticket)
            waiting[name] = ticket
            due.append(name)
        }
    }

    /// Takes in what devices said, and sends what they lack; whether there was anything to do.
    func work() throws -> Bool {
        let (said, lacking) = (heard, due)
        (heard, due) = ([], [])
        for (name, message) in said where try its.handle(device: name, message: message) { waiting[name] = nil }
        for name in lacking { try push(name) }
        return !said.isEmpty || !lacking.isEmpty
    }

    private func push(_ name: String) throws {
        let session = sessions[names.firstIndex(of: name)!]
        guard try session.isEstablished() else { return }
        var messages: [TicketMessage] = []
        if let list { messages.append(.revocationList(list: list)) }
        if let ticket = waiting[name] { messages.append(.ticket(ticket: ticket)) }
        for message in messages {
            let bytes = try session.send(cx: room.cx, payload: writeTicketMessage(message: message)).bytes
            try room.carry("operator", Data(name.utf8), bytes)
            try room.settle()
        }
    }

    private func poll(_ cx: Cx) throws -> Output {
        let polled = try hub.poll(cx: cx)
        if case .happened(let event) = polled.output, let place = polled.place {
            switch event {
            case .established, .resumed: due.append(names[Int(place)])
            default: break
            }
        }
        return polled.output
    }

    private func input(_ cx: Cx, _ from: Data, _ datagram: Data) throws -> Received? {
        if let got = try hub.handleInput(cx: cx, from: from, datagram: datagram) {
            heard.append((names[Int(got.place)], got.received.payload))
        }
        return nil
    }
}

/// A device's program: it takes what its operator sends, stores it, says so.
final class Client {
    private let (room, its): (Room, Ticketed)
    private let session: Interactive
    private var heard: [Data] = []

    init(_ room: Room, _ its: Ticketed) throws {
        (self.room, self.its) = (room, its)
        session = try its.with("operator", 1)
        let session = session
        room.enter(
            its.name,
            Room.Member(
                poll: { try session.poll(cx: $0) }, input: { [unowned self] in try input($0, $1, $2) },
                timeout: { try session.handleTimeout(cx: $0) }))
        try session.connect(cx: room.cx, to: Data("operator".utf8))
    }

    private func input(_ cx: Cx, _ from: Data, _ datagram: Data) throws -> Received? {
        if let got = try session.handleInput(cx: cx, from: from, datagram: datagram) { heard.append(got.payload) }
        return nil
    }

    func work() throws -> Bool {
        guard !heard.isEmpty else { return false }
        let message = heard.removeFirst()
        var answer: Data?
        do {
            let due = try its.wallet.handle(message: message, wall: room.seconds)
            try its.wallet.save(device: its.device, store: its.store, slot: 0)
            answer = due ? try its.wallet.acknowledgement() : nil
        } catch IotkmError.Refused(let number, _) {
            answer = try its.wallet.refusal(code: number)
        }
        if let answer { try room.carry(its.name, Data("operator".utf8), session.send(cx: room.cx, payload: answer).bytes) }
        try session.recheck(cx: room.cx)
        return true
    }
}

func fail(_ what: String) -> Never {
    print("failed: \(what)\noperator: failed")
    exit(1)
}

let room = Room()
let agency = try Agency()
let lamp = try Ticketed("lamp", agency, room.seconds)
let thing = try Ticketed("switch", agency, room.seconds)
let server = try Server(room, agency, [lamp, thing])
var clients = [try Client(room, lamp)]

func settle() throws {
    var busy = true
    while busy {
        try room.settle()
        busy = try server.work()
        for client in clients { busy = try client.work() || busy }
    }
}

func newest(_ of: Ticketed) throws -> UInt32 { try of.wallet.tickets()[0].claims().serial }

try settle()

// 25 days later tickets end within a week. The lamp is on; the switch sleeps, and gets its own when it comes up.
_ = try room.until(25 * day) { false }
try server.renew()
try settle()
print("lamp has ticket \(try newest(lamp))")
print("waits for \(server.waiting.keys.joined(separator: ", "))")
guard try newest(lamp) == 4, Array(server.waiting.keys) == ["switch"] else { fail("the lamp's next ticket") }
clients.append(try Client(room, thing))
try settle()
print("switch has ticket \(try newest(thing))")
guard try newest(thing) == 5, server.waiting.isEmpty else { fail("the switch's next ticket") }

// The switch is stolen. Whoever is on hears of it now, the others when they come up. (The switch hears of it too; a thief
// would keep that from it, and be turned away by the lamp.)
try server.revoke(thing)
try settle()
print("lamp has list \(try lamp.wallet.listNumber())")
guard try lamp.wallet.listNumber() == 1 else { fail("the list") }
do {
    try thing.with("lamp", 2).connect(cx: room.cx, to: Data("lamp".utf8))
    fail("the switch has a ticket still")
} catch IotkmError.NoCredential {
    print("switch: \(IotkmError.NoCredential)")
}
print("operator: ok")
