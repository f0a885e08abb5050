// The interactive scheme: a lamp and a switch with tickets come to a gateway that trusts whom the agent vouches for. Then the
// switch is stolen, its ticket revoked, and it is turned away.
//
//     kotlin-swift/generate swift && swift run --package-path examples/swift/programs Tickets
//
// What a real application does otherwise: the agent is somewhere else and sends tickets and lists through an operator, keys
// lie in the Keychain or the Secure Enclave, and every device has its own program.
import Foundation
import Iotkm
import Room

let room = Room()
let agency = try Agency()
let gateway = try Ticketed("gateway", agency, room.seconds)
let hub = try Hub.open(device: gateway.device, cx: room.cx, places: 10, busy: 8, store: gateway.store)
let middle = Room.Member(
    poll: { try hub.poll(cx: $0).output },
    input: { try hub.handleInput(cx: $0, from: $1, datagram: $2)?.received },
    timeout: { try hub.handleTimeout(cx: $0) })
room.enter("gateway", middle)
let there = Data("gateway".utf8)

func fail(_ what: String) -> Never {
    print("failed: \(what)\ntickets: failed")
    exit(1)
}

// First contact: tickets, and what comes of them; then data.
var (atGateway, devices, sides): ([Interactive], [Ticketed], [Interactive]) = ([], [], [])
for (n, name) in ["lamp", "switch"].enumerated() {
    let its = try gateway.with(name, UInt16(n + 1))
    _ = try hub.insert(association: .interactive(its))
    let device = try Ticketed(name, agency, room.seconds)
    let own = try device.with("gateway", 1)
    room.enter(
        name,
        Room.Member(
            poll: { try own.poll(cx: $0) }, input: { try own.handleInput(cx: $0, from: $1, datagram: $2) },
            timeout: { try own.handleTimeout(cx: $0) }))
    atGateway.append(its)
    devices.append(device)
    sides.append(own)
    try own.connect(cx: room.cx, to: there)
    guard try room.until(600, { try own.isEstablished() && its.isEstablished() }) else { fail("first contact") }
    try room.carry(name, there, own.send(cx: room.cx, payload: Data("\(name) is here".utf8)).bytes)
    try room.settle()
}
let (lamp, stolen) = (sides[0], sides[1])

// The next time both have a common key: no tickets, half the bytes.
try lamp.connect(cx: room.cx, to: there)
try room.settle()
print("lamp: \(try lamp.peer().generation) key replacements")

// The switch is stolen.
_ = try gateway.wallet.revoke(list: agency.revoke(devices[1].wallet.tickets().map { try $0.claims().serial }, room.seconds))
try gateway.wallet.save(device: gateway.device, store: gateway.store, slot: 0)
for its in atGateway { try its.recheck(cx: room.cx) }
try room.settle()
try stolen.wipe()
try stolen.authenticate(cx: room.cx, to: there)
if try room.until(60, { try stolen.isEstablished() }) { fail("the switch is let in") }
print("the switch is turned away")
guard middle.received == ["lamp is here", "switch is here"] else { fail("data") }
guard try lamp.isEstablished(), try atGateway[0].isEstablished(), try !atGateway[1].isEstablished() else { fail("who is there") }
print("tickets: ok")
