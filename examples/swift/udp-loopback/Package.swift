// swift-tools-version: 5.9
import PackageDescription

let package = Package(
    name: "UdpLoopback",
    platforms: [.macOS(.v11)],
    dependencies: [.package(path: "../../../kotlin-swift/swift")],
    targets: [
        .executableTarget(name: "UdpLoopback", dependencies: [.product(name: "Iotkm", package: "swift")])
    ]
)
