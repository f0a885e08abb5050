// swift-tools-version: 5.9
import PackageDescription

let iotkm: Target.Dependency = .product(name: "Iotkm", package: "swift")

let package = Package(
    name: "Examples",
    platforms: [.macOS(.v11)],
    dependencies: [.package(path: "../../../kotlin-swift/swift")],
    targets: [
        .target(name: "Room", dependencies: [iotkm]),
        .executableTarget(name: "UdpLoopback", dependencies: ["Room", iotkm]),
        .executableTarget(name: "Tickets", dependencies: ["Room", iotkm]),
        .executableTarget(name: "OperatorService", dependencies: ["Room", iotkm]),
        .executableTarget(name: "Credentials", dependencies: ["Room", iotkm]),
        .executableTarget(name: "CredentialService", dependencies: ["Room", iotkm]),
        .executableTarget(name: "Meters", dependencies: ["Room", iotkm]),
    ]
)
