// What the examples share: stand-ins for a key store, for storage, for sockets and a clock.
import Foundation
import Iotkm

public func randomKey() -> Data { Data((0..<32).map { _ in UInt8.random(in: 0...255) }) }

/// Stands for the Keychain: here the secret and the static keys live as long as the process.
public final class ProcessVault: KeyVault, @unchecked Sendable {
    private let secret = randomKey()
    public var keys: [UInt16: StaticKey] = [:]
    public init() {}
    public func deviceSecret() throws -> Data { secret }
    public func publicKey(key: UInt16, curve: Curve) throws -> Data? { try keys[key]?.publicKey() }
    public func agree(key: UInt16, curve: Curve, share: Data) throws -> Data? { try keys[key]?.agree(share: share) }
    public func power(key: UInt16, curve: Curve, element: Data) throws -> Data? { try keys[key]?.power(element: element) }
}

/// Stands for files.
public final class MemoryStore: BlobStore, @unchecked Sendable {
    private var slots: [UInt16: Stored] = [:]
    public init() {}
    public func read(slot: UInt16) throws -> Stored? { slots[slot] }
    public func write(slot: UInt16, version: UInt32, bytes: Data) throws { slots[slot] = Stored(bytes: bytes, floor: version) }
    public func erase(slot: UInt16) throws { slots[slot] = nil }
}

/// Stands for sockets and a clock: devices in one process, whose time passes when nothing else happens.
public final class Room {
    /// What is polled, fed and woken: an association or a hub.
    public final class Member {
        let poll: (Cx) throws -> Output
        let input: (Cx, Data, Data) throws -> Received?
        let timeout: (Cx) throws -> Void
        public internal(set) var received: [String] = []
        var wakeAt: UInt64?

        public init(
            poll: @escaping (Cx) throws -> Output, input: @escaping (Cx, Data, Data) throws -> Received?,
            timeout: @escaping (Cx) throws -> Void
        ) {
            (self.poll, self.input, self.timeout) = (poll, input, timeout)
        }
    }

    private var members: [String: Member] = [:]
    private let start = UInt64(Date().timeIntervalSince1970 * 1000)
    private var now: UInt64 = 0
    public private(set) var datagrams = 0

    public init() {}

    public var cx: Cx { Cx(now: now, wall: start + now) }
    public var seconds: UInt64 { (start + now) / 1000 }

    public func enter(_ name: String, _ member: Member) { members[name] = member }

    /// Carries what there is to carry.
    public func settle() throws {
        var said = true
        while said {
            said = false
            for (name, member) in members {
                polling: while true {
                    switch try member.poll(cx) {
                    case .datagram(let to, let bytes):
                        said = true
                        try carry(name, to, bytes)
                    case .happened(let event): print("\(name): \(event)")
                    case .persist: fatalError("the store is given")
                    case .idle(let wakeAt):
                        member.wakeAt = wakeAt
                        break polling
                    }
                }
            }
        }
    }

    public func carry(_ from: String, _ to: Data, _ bytes: Data) throws {
        datagrams += 1
        let name = String(decoding: to, as: UTF8.self)
        guard let receiver = members[name] else { return }
        guard let got = try receiver.input(cx, Data(from.utf8), bytes) else { return }
        receiver.received.append(String(decoding: got.payload, as: UTF8.self))
        print("\(name): got \"\(receiver.received.last!)\"")
    }

    /// Lets time pass from one thing that is due to the next, until this is so, for this many seconds at most.
    public func until(_ seconds: UInt64 = 600, _ done: () throws -> Bool) throws -> Bool {
        let end = now + seconds * 1000
        while true {
            try settle()
            if try done() { return true }
            guard let next = members.values.compactMap({ $0.wakeAt }).min(), next <= end else { break }
            now = max(now, next)
            for member in members.values where member.wakeAt.map({ $0 <= now }) ?? false { try member.timeout(cx) }
        }
        now = end
        return try done()
    }
}
