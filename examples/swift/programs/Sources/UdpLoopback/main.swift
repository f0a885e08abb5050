// Two devices of one user talk over UDP on the loopback interface: exchange, data both ways, a key update.
//
//     kotlin-swift/generate swift && swift run --package-path examples/swift/programs UdpLoopback
//
// What a real application does otherwise: the vault is the Keychain, the store is files, and the peer comes out of a pairing
// that is done once.
import Foundation
import Iotkm
import Room

#if canImport(Glibc)
import Glibc
let datagramSocket = Int32(SOCK_DGRAM.rawValue)
#else
import Darwin
let datagramSocket = SOCK_DGRAM
#endif

/// An association and its socket. The core does no I/O and has no clock: this class is all that drives it.
final class UdpNode {
    let name: String
    let history: History
    let address: Data
    var received: [String] = []
    private let handle: Int32
    private var wakeAt: UInt64?

    init(_ name: String, peer: Peer, device: Device, store: BlobStore) throws {
        self.name = name
        history = try History.open(device: device, peer: peer, suite: .suite0, config: Config(), store: store)
        let handle = socket(AF_INET, datagramSocket, 0)
        self.handle = handle
        var at = sockaddr_in()
        at.sin_family = sa_family_t(AF_INET)
        at.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &at) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(handle, $0, length)
                _ = getsockname(handle, $0, &length)
            }
        }
        var patience = timeval(tv_sec: 0, tv_usec: 5_000)
        setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        address = UdpNode.bytes(at)
    }

    deinit { close(handle) }

    func cx() -> Cx {
        let now = DispatchTime.now().uptimeNanoseconds / 1_000_000
        return Cx(now: now, wall: UInt64(Date().timeIntervalSince1970 * 1000), place: Data("loopback".utf8))
    }

    /// Sends, stores and reports what the association has to say.
    func drain() throws {
        while true {
            switch try history.poll(cx: cx()) {
            case .datagram(let to, let bytes): send(to, bytes)
            case .happened(let event): print("\(name): \(event)")
            case .persist: fatalError("the store is given")
            case .idle(let wakeAt):
                self.wakeAt = wakeAt
                return
            }
        }
    }

    func say(_ text: String) throws {
        let sent = try history.send(cx: cx(), payload: Data(text.utf8))
        send(sent.to, sent.bytes)
        try drain()
    }

    /// Waits a little for one datagram, then does what is due.
    func step() throws {
        var buffer = [UInt8](repeating: 0, count: 2048)
        var from = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &from) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(handle, &buffer, 2048, 0, $0, &length) }
        }
        if count > 0 {
            let got = try history.handleInput(cx: cx(), from: UdpNode.bytes(from), datagram: Data(buffer[..<count]))
            if let got {
                received.append(String(decoding: got.payload, as: UTF8.self))
                print("\(name): got \"\(received.last!)\"")
            }
            try drain()
        }
        if let wakeAt, wakeAt <= cx().now {
            try history.handleTimeout(cx: cx())
            try drain()
        }
    }

    // An address is up to 22 bytes that only the application understands: here the socket's own.
    private static func bytes(_ at: sockaddr_in) -> Data {
        withUnsafeBytes(of: at.sin_addr.s_addr) { Data($0) } + withUnsafeBytes(of: at.sin_port) { Data($0) }
    }

    private func send(_ to: Data, _ bytes: Data) {
        var at = sockaddr_in()
        at.sin_family = sa_family_t(AF_INET)
        withUnsafeMutableBytes(of: &at.sin_addr.s_addr) { $0.copyBytes(from: to.prefix(4)) }
        withUnsafeMutableBytes(of: &at.sin_port) { $0.copyBytes(from: to.suffix(2)) }
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafePointer(to: &at) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bytes.withUnsafeBytes { sendto(handle, $0.baseAddress, $0.count, 0, address, length) }
            }
        }
    }
}

// A factory's way: both devices get three random keys. At home, pairing makes them from the user's secret.
let keys = (0..<3).map { _ in SecretBytes(bytes: randomKey()) }

func node(_ me: String, _ peer: String) throws -> UdpNode {
    let device = Device(vault: ProcessVault())
    let store = MemoryStore()
    try Peer.provisioned(
        slotNumber: 1, me: Data(me.utf8), peer: Data(peer.utf8), suite: .suite0, sk: keys[0], t: keys[1], li: keys[2]
    ).save(device: device, store: store)
    return try UdpNode(me, peer: Peer.restore(device: device, store: store, slot: 1), device: device, store: store)
}

let hub = try node("hub", "lamp")
let lamp = try node("lamp", "hub")
let nodes = [hub, lamp]

func until(_ what: String, _ done: () throws -> Bool) throws {
    let end = Date().addingTimeInterval(10)
    while try !done() {
        if Date() > end {
            print("failed: \(what)\nudp-loopback: failed")
            exit(1)
        }
        for node in nodes { try node.step() }
    }
}

try hub.history.connect(cx: hub.cx(), to: lamp.address)
try hub.drain()
try until("exchange") { try nodes.allSatisfy { try $0.history.isEstablished() } }
try hub.say("light on")
try lamp.say("it is on, 4.2 W")
try until("data") { nodes.allSatisfy { !$0.received.isEmpty } }
try hub.history.update(cx: hub.cx())
try hub.drain()
try until("update") {
    try nodes.allSatisfy { try $0.history.peer().generation == 1 && $0.history.isEstablished() }
}
try hub.say("light off")
try until("data under the new key") { lamp.received.count == 2 }
print(try hub.history.fingerprint() == lamp.history.fingerprint() ? "udp-loopback: ok" : "udp-loopback: failed")
