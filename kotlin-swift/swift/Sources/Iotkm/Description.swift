// Iotkm.swift, beside this, is generated. It gives the error its words; this shows them wherever it is printed.
extension IotkmError: CustomStringConvertible {}

import Foundation

/// A vault has no static keys unless it says otherwise.
extension KeyVault {
    public func publicKey(key: UInt16, curve: Curve) throws -> Data? { nil }
    public func agree(key: UInt16, curve: Curve, share: Data) throws -> Data? { nil }
    public func power(key: UInt16, curve: Curve, element: Data) throws -> Data? { nil }
}
