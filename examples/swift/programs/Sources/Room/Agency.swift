// What the examples with tickets share: an agent, and a device that goes by it.
import Foundation
import Iotkm

public let day: UInt64 = 86_400

/// A ticket agent. In the field it is somewhere else, its key perhaps in the Secure Enclave (`SigningKey.external`).
public final class Agency {
    private let device = Device(vault: ProcessVault())
    private let store = MemoryStore()
    private let key: SigningKey
    private let numbers: TicketAgent

    public init() throws {
        key = try SigningKey(algorithm: .edDsa, secret: SecretBytes(bytes: randomKey()))
        numbers = try TicketAgent(name: "acme")
        try numbers.save(device: device, store: store, slot: 1)  // before a number is given out
    }

    /// What devices go by.
    public var agent: Agent { key.agent(name: "acme") }

    public func issue(_ request: TicketRequest, _ now: UInt64) throws -> Ticket {
        do {
            return try numbers.issue(signer: key, request: request, now: now)
        } catch IotkmError.WrongState {
            try numbers.save(device: device, store: store, slot: 1)  // 256 numbers further
            return try numbers.issue(signer: key, request: request, now: now)
        }
    }

    public func revoke(_ serials: [UInt32], _ now: UInt64) throws -> RevocationList {
        try numbers.revoke(signer: key, serials: serials.sorted(), now: now)
    }

    /// An operator's message, answered.
    public func answer(_ message: Data, _ now: UInt64) throws -> Data {
        guard case .request(let request) = try readTicketMessage(bytes: message) else { throw IotkmError.BadArgument }
        return try writeTicketMessage(message: .ticket(ticket: issue(request, now)))
    }
}

/// A device: static key, wallet, store.
public final class Ticketed {
    public let name: String
    public let device: Device
    public let store = MemoryStore()
    public let wallet: Wallet
    /// What is asked for it, now and whenever its ticket ends.
    public let request: TicketRequest

    public init(_ name: String, _ agency: Agency, _ now: UInt64) throws {
        self.name = name
        let vault = ProcessVault()
        device = Device(vault: vault)
        let key = try StaticKey.generate(device: device, curve: .x25519)
        vault.keys[0] = key
        request = TicketRequest(device: name, curve: key.curve(), key: try key.publicKey(), lifetime: 30 * day)
        wallet = try Wallet(name: name, agent: agency.agent)
        _ = try wallet.install(ticket: agency.issue(request, now), wall: now)
        try wallet.save(device: device, store: store, slot: 0)
    }

    public func with(_ peer: String, _ slot: UInt16) throws -> Interactive {
        let known = try TicketPeer.named(slotNumber: slot, ownId: name, id: peer)
        return try Interactive.open(
            device: device, peer: known, wallet: wallet, setup: TicketSetup(suites: [.suite0]), config: Config(tries: 4),
            store: store)
    }
}
